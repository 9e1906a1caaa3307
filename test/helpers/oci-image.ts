/** Images made in memory, for tests that need to decide every byte. */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

export interface TarFile {
  name: string
  data?: string | Buffer
  /** tar's type: `0` file (default), `5` directory, `2` symbolic link, `1` hard link. */
  type?: string
  mode?: number
  uid?: number
  mtime?: number
  target?: string
}

/** A ustar archive. */
export function tarOf(files: readonly TarFile[]): Buffer {
  const blocks: Buffer[] = []
  for (const file of files) {
    const data = Buffer.from(file.data ?? '')
    const header = Buffer.alloc(512)
    const octal = (value: number, at: number, size: number) =>
      header.write(value.toString(8).padStart(size - 1, '0'), at)
    header.write(file.name, 0)
    octal(file.mode ?? 0o644, 100, 8)
    octal(file.uid ?? 0, 108, 8)
    octal(file.uid ?? 0, 116, 8)
    octal(data.length, 124, 12)
    octal(file.mtime ?? 1_000_000_000, 136, 12)
    header.write(file.type ?? '0', 156)
    header.write(file.target ?? '', 157)
    header.write('ustar\u000000', 257)
    header.fill(' ', 148, 156)
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
    blocks.push(header, data, Buffer.alloc((512 - (data.length % 512)) % 512))
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

export const sha256 = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

export interface MadeImage {
  manifest: Buffer
  manifestDigest: string
  mediaType: string
  config: Buffer
  imageId: string
  diffIds: string[]
  /** By digest: configuration and layers. */
  blobs: Map<string, Buffer>
  layers: { digest: string; size: number }[]
}

export interface MakeOptions {
  layers: (readonly TarFile[] | Buffer)[]
  config?: Record<string, unknown>
  architecture?: string
  gzip?: boolean
}

const OCI = 'application/vnd.oci.image'

/** An OCI image. */
export function makeImage(options: MakeOptions): MadeImage {
  const blobs = new Map<string, Buffer>()
  const tars = options.layers.map((layer) => (Buffer.isBuffer(layer) ? layer : tarOf(layer)))
  const gzip = options.gzip ?? true
  const layers = tars.map((tar) => {
    const bytes = gzip ? gzipSync(tar) : tar
    blobs.set(sha256(bytes), bytes)
    return {
      mediaType: `${OCI}.layer.v1.tar${gzip ? '+gzip' : ''}`,
      digest: sha256(bytes),
      size: bytes.length,
    }
  })
  const diffIds = tars.map(sha256)
  const config = Buffer.from(
    JSON.stringify({
      architecture: options.architecture ?? (process.arch === 'x64' ? 'amd64' : process.arch),
      os: 'linux',
      created: '2024-05-06T07:08:09Z',
      config: options.config ?? {},
      rootfs: { type: 'layers', diff_ids: diffIds },
    }),
  )
  blobs.set(sha256(config), config)
  const mediaType = `${OCI}.manifest.v1+json`
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: `${OCI}.config.v1+json`, digest: sha256(config), size: config.length },
      layers,
    }),
  )
  return {
    manifest,
    manifestDigest: sha256(manifest),
    mediaType,
    config,
    imageId: sha256(config),
    diffIds,
    blobs,
    layers,
  }
}

/** An index of images for several platforms. */
export function makeIndex(images: { image: MadeImage; architecture: string; variant?: string }[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${OCI}.index.v1+json`,
      manifests: images.map(({ image, architecture, variant }) => ({
        mediaType: image.mediaType,
        digest: image.manifestDigest,
        size: image.manifest.length,
        platform: { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) },
      })),
    }),
  )
}

/** Files of an OCI layout, name to content. */
export function layoutFiles(image: MadeImage, annotations?: Record<string, string>): Map<string, Buffer> {
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: image.mediaType,
        digest: image.manifestDigest,
        size: image.manifest.length,
        ...(annotations === undefined ? {} : { annotations }),
      },
    ],
  }
  const files = new Map<string, Buffer>()
  for (const [digest, bytes] of [...image.blobs, [image.manifestDigest, image.manifest] as const]) {
    files.set(`blobs/sha256/${digest.slice(7)}`, bytes)
  }
  files.set('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'))
  files.set('index.json', Buffer.from(JSON.stringify(index)))
  return files
}

export function writeLayoutDirectory(directory: string, files: ReadonlyMap<string, Buffer>): void {
  for (const [name, bytes] of files) {
    mkdirSync(join(directory, name, '..'), { recursive: true })
    writeFileSync(join(directory, name), bytes)
  }
}

export function tarOfFiles(files: ReadonlyMap<string, Buffer>): Buffer {
  return tarOf([...files].map(([name, data]) => ({ name, data })))
}
