import { createReadStream, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import type { ContentStore } from '../../content/index.js'
import { JubakoError } from '../../errors/index.js'
import {
  type Descriptor,
  type Digest,
  familiarReference,
  formatReference,
  hostPlatform,
  type Platform,
  parsePlatform,
  withDefaultTag,
} from '../../oci/index.js'
import { chooseImage } from '../document.js'
import { contentOf, type Installer } from '../install.js'
import { blob, type Lease } from '../lease.js'
import { reportLine } from '../progress.js'
import type { ReferenceRecord } from '../records.js'
import type { LoadedImage, PullOptions } from '../types.js'
import { type ImageArchive, readArchive } from './archive.js'
import { decodeOuter, type OuterDecoders } from './decompress.js'
import { type ArchivedImage, dockerArchiveImages } from './docker-archive.js'
import { copyFromLayout, readLayoutDirectory } from './layout-directory.js'
import { layoutImages, manifestsByConfig } from './oci-layout.js'
import { TarReader } from './tar-reader.js'

export interface LoadParts {
  content: ContentStore
  installer: Installer
  lease: Lease
  decoders: OuterDecoders
  assign: (record: ReferenceRecord) => Promise<void>
}

/**
 * Loads the images of an archive: `docker save`'s form or an OCI layout, as a tar (plain, gzip, zstd) or, for a layout,
 * a directory.
 *
 * @param source path of the archive, or its bytes
 */
export async function loadImages(
  parts: LoadParts,
  source: string | Readable,
  options: PullOptions,
): Promise<LoadedImage[]> {
  // Digests are known only when the archive has been read, so every blob is kept meanwhile.
  await parts.lease.protect(['blob *'], options.signal)
  const directory = typeof source === 'string' && isDirectory(source) ? source : undefined
  const archive =
    directory === undefined
      ? await readTar(
          typeof source === 'string' ? createReadStream(source, { highWaterMark: 512 * 1024 }) : (source as Readable),
          parts,
          options,
        )
      : await readLayoutDirectory(directory, parts.content)
  const fetch = (descriptor: Descriptor) => provide(parts, directory, descriptor.digest, options.signal)
  const loaded: LoadedImage[] = []
  for (const image of await imagesOf(archive, parts.content, directory !== undefined)) {
    loaded.push(await loadOne(parts, image, fetch, options))
  }
  return loaded
}

async function readTar(input: Readable, parts: LoadParts, options: PullOptions): Promise<ImageArchive> {
  const reader = new TarReader(await decodeOuter(input, parts.decoders))
  try {
    return await readArchive(reader, parts.content, options.signal)
  } finally {
    await reader.close()
  }
}

async function imagesOf(archive: ImageArchive, content: ContentStore, directory: boolean): Promise<ArchivedImage[]> {
  if (archive.file('manifest.json') !== undefined && !directory) {
    return dockerArchiveImages(archive, content, await manifestsByConfig(archive, content))
  }
  if (archive.file('index.json') !== undefined) return layoutImages(archive, content)
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', 'image archive: neither manifest.json nor index.json is in it', {
    hint: 'use an archive made by "save", or an OCI image layout; a root file system is imported, not loaded',
  })
}

async function loadOne(
  parts: LoadParts,
  archived: ArchivedImage,
  fetch: (descriptor: Descriptor) => Promise<void>,
  options: PullOptions,
): Promise<LoadedImage> {
  const names = archived.references.map(withDefaultTag)
  const what = names[0] === undefined ? `image archive: ${archived.target.digest}` : familiarReference(names[0])
  await fetch(archived.target)
  const wanted = { platform: platformOf(options.platform), explicit: options.platform !== undefined }
  const image = await chooseImage(parts.content, { fetch }, archived.target, wanted, what)
  const { onProgress, signal } = options
  await parts.installer.install(image, { what, lease: parts.lease, fetchLayer: fetch, onProgress, signal })
  for (const name of names) {
    await parts.assign({
      reference: formatReference(name),
      imageId: image.imageId,
      target: archived.target,
      manifest: image.descriptor.digest,
      content: contentOf(image),
      updatedAt: Date.now(),
    })
    reportLine(onProgress, `Loaded image: ${familiarReference(name)}`)
  }
  if (names.length === 0) reportLine(onProgress, `Loaded image ID: ${image.imageId}`)
  return { references: names.map(formatReference), imageId: image.imageId }
}

/** In a tar everything has been taken in already. */
async function provide(
  parts: LoadParts,
  directory: string | undefined,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (parts.content.has(digest)) return
  await parts.lease.protect([blob(digest)], signal)
  if (directory !== undefined) return copyFromLayout(directory, parts.content, digest, signal)
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `image archive: ${digest} is missing`)
}

function platformOf(platform: string | Platform | undefined): Platform {
  if (platform === undefined) return hostPlatform()
  return typeof platform === 'string' ? parsePlatform(platform) : platform
}

function isDirectory(path: string): boolean {
  const info = statSync(path, { throwIfNoEntry: false })
  if (info !== undefined) return info.isDirectory()
  throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `no such image archive: ${path}`, { path })
}
