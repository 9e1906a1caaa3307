import type { ContentStore, Ingest } from '../../content/index.js'
import { throwIfAborted } from '../../content/index.js'
import { JubakoError } from '../../errors/index.js'
import type { Digest } from '../../oci/index.js'
import type { TarReader } from './tar-reader.js'

/** A file of an image archive: its content by digest. */
export interface ArchiveFile {
  digest: Digest
  size: number
}

/** An image archive, whatever holds it. Names are relative and normalised. */
export interface ImageArchive {
  file(name: string): ArchiveFile | undefined
}

const MAX_LINKS = 16

/**
 * Takes a tar's files into the content store, by digest. What turns out not to be needed has no record and is collected
 * with the rest.
 */
export async function readArchive(
  reader: TarReader,
  content: ContentStore,
  signal: AbortSignal | undefined,
): Promise<ImageArchive> {
  const files = new Map<string, ArchiveFile>()
  const links = new Map<string, string>()
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    throwIfAborted(signal)
    const name = normalize('', entry.name)
    if (name === undefined)
      throw new JubakoError(
        'ERR_JUBAKO_INTEGRITY',
        `image archive: bad name ${JSON.stringify(entry.name.slice(0, 200))}`,
      )
    if (entry.kind === 'file') files.set(name, await store(reader, content, signal))
    else if (entry.kind === 'link') links.set(name, entry.target)
  }
  return { file: (name) => follow(files, links, name) }
}

async function store(reader: TarReader, content: ContentStore, signal: AbortSignal | undefined): Promise<ArchiveFile> {
  const ingest: Ingest = content.ingestUnknown()
  try {
    for await (const chunk of reader.data()) {
      throwIfAborted(signal)
      await ingest.write(chunk)
    }
    const size = ingest.offset
    return { digest: await ingest.commit(), size }
  } finally {
    await ingest.abort()
  }
}

/** Old archives have symbolic links between their layers, hard links name the archive's root. */
function follow(
  files: ReadonlyMap<string, ArchiveFile>,
  links: ReadonlyMap<string, string>,
  name: string,
): ArchiveFile | undefined {
  let at = normalize('', name)
  for (let hops = 0; at !== undefined && hops < MAX_LINKS; hops++) {
    const found = files.get(at)
    if (found !== undefined) return found
    const target = links.get(at)
    if (target === undefined) return undefined
    const beside = normalize(at.slice(0, at.lastIndexOf('/') + 1), target)
    at = beside !== undefined && (files.has(beside) || links.has(beside)) ? beside : normalize('', target)
  }
  return undefined
}

/** `a/./b/../c` to `a/c`; undefined when it is absolute or leads out. */
export function normalize(base: string, name: string): string | undefined {
  if (name.startsWith('/') || name.includes('\0')) return undefined
  const parts: string[] = []
  for (const part of `${base}${name}`.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) return undefined
  }
  return parts.join('/')
}
