import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type ContentStore, throwIfAborted } from '../../content/index.js'
import { JubakoError } from '../../errors/index.js'
import { type Digest, isDigest } from '../../oci/index.js'
import type { ArchiveFile, ImageArchive } from './archive.js'

/**
 * Takes an OCI image layout that is a directory (image-spec, "Image Layout"): the blobs that its index leads to are
 * fetched later, by {@link copyFromLayout}.
 */
export async function readLayoutDirectory(root: string, content: ContentStore): Promise<ImageArchive> {
  const files = new Map<string, ArchiveFile>()
  for (const name of ['oci-layout', 'index.json', 'manifest.json']) {
    const file = await copyFile(join(root, name), content, undefined).catch(ignoreMissing)
    if (file !== undefined) files.set(name, file)
  }
  for (const algorithm of ['sha256', 'sha512']) {
    for (const hex of await readdir(join(root, 'blobs', algorithm)).catch(() => [])) {
      const digest = `${algorithm}:${hex}`
      if (!isDigest(digest)) continue
      const { size } = await lstat(join(root, 'blobs', algorithm, hex))
      files.set(`blobs/${algorithm}/${hex}`, { digest, size })
    }
  }
  return { file: (name) => files.get(name) }
}

/** Copies one blob of a layout into the store, verified. */
export async function copyFromLayout(
  root: string,
  content: ContentStore,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [algorithm, hex] = digest.split(':') as [string, string]
  const file = await copyFile(join(root, 'blobs', algorithm, hex), content, digest, signal).catch(ignoreMissing)
  if (file === undefined) throw new JubakoError('ERR_JUBAKO_INTEGRITY', `image layout: ${digest} is missing`)
}

async function copyFile(
  path: string,
  content: ContentStore,
  digest: Digest | undefined,
  signal?: AbortSignal,
): Promise<ArchiveFile> {
  // A layout from elsewhere may hold links, pipes and devices.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(path, flags).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ELOOP' || error.code === 'ENXIO' ? irregular(path) : error
  })
  try {
    const info = await file.stat()
    if (!info.isFile()) throw irregular(path)
    const ingest = digest === undefined ? content.ingestUnknown() : await content.ingest({ digest }, { signal })
    if (ingest === undefined) return { digest: digest!, size: info.size }
    try {
      await ingest.restart()
      for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 512 * 1024 })) {
        throwIfAborted(signal)
        await ingest.write(chunk)
      }
      const size = ingest.offset
      return { digest: await ingest.commit(), size }
    } finally {
      await ingest.abort()
    }
  } finally {
    await file.close()
  }
}

function irregular(path: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_INTEGRITY', `image layout: ${path} is not a regular file`)
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
