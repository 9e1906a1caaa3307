import { createHash } from 'node:crypto'
import { closeSync, createReadStream, openSync, utimesSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type InstructionOf, parseGitReference } from '../../dockerfile/index.js'
import { fetchRepository } from '../context.js'
import { keyOf } from '../state.js'
import type { Work } from '../work.js'
import { isArchive, readStart } from './archives.js'

type Copy = InstructionOf<'copy' | 'add'>

export const isRemote = (source: string): boolean =>
  /^https?:\/\//.test(source) || parseGitReference(source) !== undefined

/** A folder with what is to be copied. */
export interface Piece {
  path: string
  names: string[]
  archive: boolean
}

export interface Fetched extends Piece {
  digest: string
}

/** Files of the network that ADD names. */
export async function fetchAll(remote: readonly string[], instruction: Copy, work: Work): Promise<Fetched[]> {
  return Promise.all(remote.map((source) => fetchOne(source, instruction, work)))
}

async function fetchOne(source: string, instruction: Copy, work: Work): Promise<Fetched> {
  const { checksum, keepGitDir, unpack } = instruction
  const git = parseGitReference(source)
  const path = work.scratch.directory('fetched')
  if (git !== undefined) {
    const keeps = keepGitDir ?? git.keepGitDir ?? false
    const expected = checksum ?? git.checksum
    const commitId = await fetchRepository(git, keeps, expected, path, work.parts, work.signal)
    return {
      path,
      names: [git.subdirectory ?? ''],
      archive: false,
      digest: keyOf('git', commitId, git.subdirectory ?? '', `${keeps} ${git.submodules}`),
    }
  }
  const name = basename(new URL(source).pathname) || '__unnamed__'
  const file = join(path, name)
  const { modified } = await work.parts.download(source, file, work.signal)
  if (modified !== undefined) utimesSync(file, modified / 1000, modified / 1000)
  const digest = await fileDigest(file)
  if (checksum !== undefined && checksum !== `sha256:${digest}`) {
    throw new Error(`digest mismatch ${source}: expected ${checksum}, got sha256:${digest}`)
  }
  if (unpack === true && isArchive(readStart(file))) {
    const target = work.scratch.directory('unpacked')
    const fd = openSync(file, 'r')
    try {
      await work.parts.unpack({ fd, target, compression: 'any', signal: work.signal })
    } finally {
      closeSync(fd)
    }
    return { path: target, names: [''], archive: true, digest }
  }
  return { path, names: [name], archive: false, digest }
}

async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
