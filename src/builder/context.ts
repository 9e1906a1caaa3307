import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import {
  cleanPath,
  type GitReference,
  PatternMatcher,
  parseGitReference,
  parseIgnoreFile,
} from '../dockerfile/index.js'
import { invalidArgument } from '../errors/index.js'
import type { Scratch } from './cache/records.js'
import { TreeSession } from './tree/session.js'
import type { BuilderParts } from './types.js'

/** One file of a tree in memory: its contents, or with its mode. */
export type MemoryFile = string | Uint8Array | { content: string | Uint8Array; mode?: number }

/** A folder's path, a tar archive (plain, gzip, zstd, xz, bzip2), files by their path, an http or git address. */
export type ContextSource = string | { tar: Readable | number } | { files: Readonly<Record<string, MemoryFile>> }

/** Files that a build takes from outside, opened once. */
export class BuildContext {
  readonly session: TreeSession
  /** The folder itself. */
  readonly path: string
  /** Patterns of `.dockerignore`. */
  ignores: string[] = []
  #matcher: PatternMatcher | undefined

  private constructor(path: string, session: TreeSession) {
    this.path = path
    this.session = session
  }

  static async open(path: string): Promise<BuildContext> {
    let fd: number
    try {
      fd = openSync(path, 'r')
    } catch (error) {
      throw invalidArgument(`unable to prepare context: path "${path}" not found`, {
        cause: error,
        hint: 'name a folder, "-" for an archive on standard input, or the address of one',
      })
    }
    try {
      const session = new TreeSession([{ fd }])
      await session.spawned
      return new BuildContext(path, session)
    } finally {
      closeSync(fd)
    }
  }

  /** Reads `.dockerignore`, or the one of its own that a Dockerfile has. */
  async readIgnores(dockerfile: string | undefined): Promise<void> {
    const own = dockerfile === undefined ? undefined : await this.session.read(`${dockerfile}.dockerignore`)
    const file = own ?? (await this.session.read('.dockerignore'))
    this.setIgnores(file === undefined ? [] : parseIgnoreFile(file.toString('utf8')))
  }

  setIgnores(patterns: string[]): void {
    this.#matcher = new PatternMatcher(patterns)
    this.ignores = patterns.map((pattern) => {
      const cleaned = cleanPath(pattern.trim())
      return cleaned
    })
  }

  ignored(path: string): boolean {
    return this.#matcher?.matches(path) ?? false
  }

  close(): Promise<void> {
    return this.session.close()
  }
}

/** Opens whatever a context is named by. Archives and addresses become folders in `scratch`. */
export async function openContext(
  source: ContextSource,
  parts: BuilderParts,
  scratch: Scratch,
  signal: AbortSignal | undefined,
): Promise<{ context: BuildContext; dockerfile?: string }> {
  if (typeof source === 'string') {
    const git = parseGitReference(source)
    if (git !== undefined) {
      const path = scratch.directory('git')
      await fetchRepository(git, git.keepGitDir ?? false, git.checksum, path, parts, signal)
      return { context: await BuildContext.open(join(path, git.subdirectory ?? '')) }
    }
    if (/^https?:\/\//.test(source)) return openAddress(source, parts, scratch, signal)
    return { context: await BuildContext.open(source) }
  }
  if ('files' in source)
    return { context: await BuildContext.open(writeFiles(source.files, scratch.directory('files'))) }
  const path = scratch.directory('context')
  if (typeof source.tar === 'number') {
    await parts.unpack({ fd: source.tar, target: path, compression: 'any', signal })
  } else {
    const archive = join(scratch.path, 'context.tar')
    const { createWriteStream } = await import('node:fs')
    const { pipeline } = await import('node:stream/promises')
    await pipeline(source.tar, createWriteStream(archive), { ...(signal && { signal }) })
    await unpackFile(archive, path, parts, signal)
  }
  return { context: await BuildContext.open(path) }
}

/** A commit of a repository, and no other when one is expected. @returns its id */
export async function fetchRepository(
  { remote, ref, submodules }: GitReference,
  keepGitDir: boolean,
  expected: string | undefined,
  path: string,
  parts: BuilderParts,
  signal: AbortSignal | undefined,
): Promise<string> {
  const commit = await parts.clone({ remote, ref, keepGitDir, submodules }, path, signal)
  if (expected !== undefined && !commit.startsWith(expected))
    throw invalidArgument(`expected checksum to match ${expected}, got ${commit}`)
  return commit
}

async function unpackFile(
  archive: string,
  target: string,
  parts: BuilderParts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const fd = openSync(archive, 'r')
  try {
    await parts.unpack({ fd, target, compression: 'any', signal })
  } finally {
    closeSync(fd)
  }
}

/** An archive is the context; anything else is a Dockerfile with an empty one. */
async function openAddress(
  url: string,
  parts: BuilderParts,
  scratch: Scratch,
  signal: AbortSignal | undefined,
): Promise<{ context: BuildContext; dockerfile?: string }> {
  const file = join(scratch.path, 'download')
  await parts.download(url, file, signal)
  const path = scratch.directory('context')
  const { isArchive, readStart } = await import('./steps/archives.js')
  const start = readStart(file)
  if (isArchive(start)) {
    await unpackFile(file, path, parts, signal)
    return { context: await BuildContext.open(path) }
  }
  const { readFileSync } = await import('node:fs')
  return { context: await BuildContext.open(path), dockerfile: readFileSync(file, 'utf8') }
}

function writeFiles(files: Readonly<Record<string, MemoryFile>>, root: string): string {
  for (const [name, file] of Object.entries(files)) {
    const path = cleanPath(`/${name}`)
    if (path === '/' || name.split('/').includes('..'))
      throw invalidArgument(`"${name}" is no path of a file in a context`)
    const target = join(root, path)
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 })
    const { content, mode } = typeof file === 'object' && 'content' in file ? file : { content: file, mode: undefined }
    writeFileSync(target, content, { mode: mode ?? 0o644 })
  }
  return root
}
