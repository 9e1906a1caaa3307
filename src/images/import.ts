import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type ContentStore, FileLock, throwIfAborted } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import {
  type ContainerConfig,
  type Descriptor,
  type Digest,
  familiarReference,
  formatReference,
  hostPlatform,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
  type Platform,
  parsePlatform,
  type Reference,
} from '../oci/index.js'
import { chooseImage } from './document.js'
import { contentOf, Installer } from './install.js'
import type { LayerStore } from './layer-store.js'
import type { Layout } from './layout.js'
import type { Lease } from './lease.js'
import { decode, detect, type OuterDecoders } from './load/decompress.js'
import { reportLine } from './progress.js'
import type { Records, ReferenceRecord } from './records.js'
import type { ImportedImage, ImportOptions, LayerUnpacker, UnpackedLayer } from './types.js'

export interface ImportParts {
  layout: Layout
  content: ContentStore
  layers: LayerStore
  records: Records
  unpacker: LayerUnpacker
  decoders: OuterDecoders
  lease: Lease
  assign: (record: ReferenceRecord) => Promise<void>
}

/** Makes an image with one layer of the archive of a root file system. */
export async function importImage(
  parts: ImportParts,
  source: Readable,
  reference: Reference | undefined,
  options: ImportOptions,
): Promise<ImportedImage> {
  // The digest is known only at the end.
  await parts.lease.protect(['blob *'], options.signal)
  const layer = await storeLayer(parts, source, options)
  const scratch = Scratch.make(parts.layout)
  try {
    const unpacked = await scratch.fill(parts, layer, options.signal)
    const target = await storeDocuments(parts.content, layer, unpacked, options)
    const what = reference === undefined ? 'imported image' : familiarReference(reference)
    const wanted = { platform: platformOf(options.platform), explicit: false }
    const nothing = async () => undefined
    const image = await chooseImage(parts.content, { fetch: nothing }, target, wanted, what)
    const installer = new Installer(parts.content, parts.layers, parts.records, scratch)
    await installer.install(image, {
      what,
      lease: parts.lease,
      fetchLayer: nothing,
      onProgress: undefined,
      signal: options.signal,
    })
    if (reference !== undefined) {
      await parts.assign({
        reference: formatReference(reference),
        imageId: image.imageId,
        target,
        manifest: target.digest,
        content: contentOf(image),
        updatedAt: Date.now(),
      })
    }
    reportLine(options.onProgress, image.imageId)
    return { imageId: image.imageId, reference: reference === undefined ? null : formatReference(reference) }
  } finally {
    await scratch.remove(parts.layers)
  }
}

async function storeLayer(parts: ImportParts, source: Readable, options: ImportOptions): Promise<Descriptor> {
  const ingest = parts.content.ingestUnknown()
  try {
    const { format, whole } = await detect(source)
    const kept = format === 'gzip' || format === 'zstd' || format === undefined
    for await (const chunk of kept ? whole : decode(whole, format, parts.decoders)) {
      throwIfAborted(options.signal)
      await ingest.write(chunk)
      options.onProgress?.({ id: '', status: 'Importing', current: ingest.offset })
    }
    const size = ingest.offset
    if (size === 0) throw new JubakoError('ERR_JUBAKO_INTEGRITY', 'the archive to import is empty')
    const mediaType = format === 'gzip' ? OCI_LAYER_GZIP : format === 'zstd' ? OCI_LAYER_ZSTD : OCI_LAYER
    return { mediaType, digest: await ingest.commit(), size }
  } finally {
    source.destroy()
    await ingest.abort()
  }
}

/** A layer that is unpacked before it is known what it is, and then put where it belongs instead of unpacked again. */
class Scratch implements LayerUnpacker {
  readonly #directory: string
  readonly #lock: FileLock
  #result: UnpackedLayer | undefined

  private constructor(directory: string, lock: FileLock) {
    this.#directory = directory
    this.#lock = lock
  }

  /** A crash leaves what the layer store sweeps: a draft whose lock is free. */
  static make(layout: Layout): Scratch {
    for (;;) {
      const directory = join(layout.ingest, `layer-${randomBytes(12).toString('hex')}`)
      const lock = FileLock.tryAcquire(`${directory}.lock`)
      if (lock !== undefined) return new Scratch(directory, lock)
    }
  }

  async fill(parts: ImportParts, layer: Descriptor, signal: AbortSignal | undefined): Promise<UnpackedLayer> {
    const target = join(this.#directory, 'diff')
    mkdirSync(target, { recursive: true, mode: 0o755 })
    const file = await parts.content.open(layer.digest)
    try {
      this.#result = await parts.unpacker.unpack({ fd: file.fd, size: layer.size, target, signal })
      return this.#result
    } finally {
      await file.close()
    }
  }

  async unpack({ target }: { target: string }): Promise<UnpackedLayer> {
    renameSync(join(this.#directory, 'diff'), target)
    return this.#result!
  }

  async remove(layers: LayerStore): Promise<void> {
    try {
      await layers.discard(this.#directory)
    } finally {
      this.#lock.releaseAndRemove()
    }
  }
}

async function storeDocuments(
  content: ContentStore,
  layer: Descriptor,
  { diffId }: UnpackedLayer,
  options: ImportOptions,
): Promise<Descriptor> {
  const { os, architecture, variant } = platformOf(options.platform)
  const created = new Date(options.createdAt ?? Date.now()).toISOString()
  const comment = options.message ?? 'Imported from -'
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      ...(variant !== undefined && { variant }),
      os,
      created,
      config: (options.config ?? {}) satisfies ContainerConfig,
      rootfs: { type: 'layers', diff_ids: [diffId as Digest] },
      history: [{ created, comment }],
    }),
  )
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: await content.put(config), size: config.length },
      layers: [layer],
    }),
  )
  return { mediaType: OCI_MANIFEST, digest: await content.put(manifest), size: manifest.length }
}

function platformOf(platform: string | Platform | undefined): Platform {
  if (platform === undefined) return hostPlatform()
  return typeof platform === 'string' ? parsePlatform(platform) : platform
}
