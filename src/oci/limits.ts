/** Sizes and counts above which untrusted documents are refused. */
export const LIMITS = {
  /** Bytes of a manifest or index. */
  manifestBytes: 4 * 2 ** 20,
  /** Bytes of an image configuration. */
  configBytes: 8 * 2 ** 20,
  /** Layers of one image. The kernel's overlay takes 500 lower directories. */
  layers: 500,
  /** Manifests in one index. */
  indexEntries: 10_000,
  /** Bytes of one blob. */
  blobBytes: 1024 ** 4,
} as const
