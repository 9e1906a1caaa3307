import { existsSync } from 'node:fs'
import { type DirectoryStamp, type SurveyEntry, surveyContainers } from '../native/index.js'
import type { ContainerConfig } from './config.js'
import type { ExitInfo } from './connection.js'
import type { Places } from './paths.js'
import { readJson } from './read-json.js'

/**
 * What the files of one container's directories say. Shared between callers: nobody changes it. The same object comes
 * again as long as nothing of it can have changed.
 */
export interface ContainerRecords {
  config: ContainerConfig
  exit: ExitInfo | undefined
  started: boolean
  /** Its supervisor lives. */
  running: boolean
}

interface Known extends SurveyEntry {
  records: ContainerRecords | undefined
}

/** Coarser than any file system's clock: what was changed so short a time ago may be changed again unnoticed. */
const UNSURE_MS = 50

/**
 * Records of all containers for those who list them again and again. They are written by renaming, so as long as the
 * directories' times of change stay, they do.
 */
export class RecordCache {
  #known = new Map<string, Known>()

  constructor(private readonly places: Places) {}

  all(): ContainerRecords[] {
    const now = new Map<string, Known>()
    const out: ContainerRecords[] = []
    const sure = Date.now() - UNSURE_MS
    for (const entry of surveyContainers(this.places.containers, this.places.runRoot)) {
      const before = this.#known.get(entry.id)
      const known = before !== undefined && isSame(before, entry) ? before : { ...entry, records: this.#read(entry) }
      if (isBefore(entry.record, sure) && isBefore(entry.run, sure)) now.set(entry.id, known)
      if (known.records !== undefined) out.push(known.records)
    }
    this.#known = now
    return out
  }

  #read({ id, locked }: SurveyEntry): ContainerRecords | undefined {
    const { config, exit, started } = this.places.of(id)
    const found = readJson<ContainerConfig>(config)
    if (found === undefined) return undefined
    return { config: found, exit: readJson<ExitInfo>(exit), started: existsSync(started), running: locked }
  }
}

const isSame = (a: SurveyEntry, b: SurveyEntry): boolean =>
  a.locked === b.locked && isSameStamp(a.record, b.record) && isSameStamp(a.run, b.run)

const isSameStamp = (a: DirectoryStamp, b: DirectoryStamp): boolean =>
  a.nanoseconds === b.nanoseconds && a.seconds === b.seconds && a.inode === b.inode

const isBefore = ({ seconds, nanoseconds }: DirectoryStamp, time: number): boolean =>
  seconds * 1000 + nanoseconds / 1e6 < time
