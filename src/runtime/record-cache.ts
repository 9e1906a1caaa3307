import { type BigIntStats, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import type { ContainerConfig } from './config.js'
import type { ExitInfo } from './connection.js'
import type { Places } from './paths.js'

/** What the files of one container's directory say. Shared between callers: nobody changes it. */
export interface ContainerRecords {
  config: ContainerConfig
  exit: ExitInfo | undefined
  started: boolean
}

interface Known {
  mtime: bigint
  inode: bigint
  records: ContainerRecords | undefined
}

/** Coarser than any file system's clock: what was changed so short a time ago may be changed again unnoticed. */
const UNSURE_NS = 50_000_000n
const NS_PER_MS = 1_000_000n

/**
 * Records of all containers for those who list them again and again. They are written by renaming, so as long as the
 * directory's time of change stays, they do.
 */
export class RecordCache {
  #known = new Map<string, Known>()

  constructor(private readonly places: Places) {}

  all(): ContainerRecords[] {
    const now = new Map<string, Known>()
    const out: ContainerRecords[] = []
    for (const id of readdirSync(this.places.containers)) {
      if (id.length !== 64) continue
      const stat = statSync(this.places.of(id).directory, { bigint: true, throwIfNoEntry: false })
      if (stat === undefined) continue
      const known = this.#valid(id, stat) ?? { mtime: stat.mtimeNs, inode: stat.ino, records: this.#read(id) }
      if (known.mtime < BigInt(Date.now()) * NS_PER_MS - UNSURE_NS) now.set(id, known)
      if (known.records !== undefined) out.push(known.records)
    }
    this.#known = now
    return out
  }

  #valid(id: string, stat: BigIntStats): Known | undefined {
    const known = this.#known.get(id)
    return known !== undefined && known.mtime === stat.mtimeNs && known.inode === stat.ino ? known : undefined
  }

  #read(id: string): ContainerRecords | undefined {
    const { config, exit, started } = this.places.of(id)
    const found = read<ContainerConfig>(config)
    return found === undefined ? undefined : { config: found, exit: read<ExitInfo>(exit), started: existsSync(started) }
  }
}

/** What is not there is the usual case: an error for it would cost more than the question. */
function read<T>(path: string): T | undefined {
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    return undefined
  }
}
