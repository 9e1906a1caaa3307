import { closeSync, constants, fstatSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { tryFlock } from '../native/index.js'
import type { EngineEvent } from './event-types.js'

/** Bytes from which on the journal is renamed to `journal.1`: about 15,000 events. */
const LIMIT = 4 * 2 ** 20

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/**
 * The events of a run root: a file of lines that every process, the supervisors (native/init/events.cc) among them, adds to.
 * A line is written at once, under a shared lock of the file; who renames it has the exclusive one. So a line that was
 * written is in the file that has the name, or in the one before.
 */
export class EventJournal {
  readonly path: string

  constructor(readonly directory: string) {
    this.path = `${directory}/journal`
  }

  get limit(): number {
    return LIMIT
  }

  append(event: EngineEvent): void {
    const line = `${encodeEvent(event)}\n`
    for (let attempt = 0; attempt < 1000; attempt++) {
      const fd = openSync(this.path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600)
      try {
        if (!tryFlock(fd, false) || !isCurrent(fd, this.path)) continue
        writeSync(fd, line)
        if (fstatSync(fd).size >= LIMIT && tryFlock(fd, true) && isCurrent(fd, this.path)) {
          renameSync(this.path, `${this.path}.1`)
        }
        return
      } finally {
        closeSync(fd)
      }
    }
  }
}

function isCurrent(fd: number, path: string): boolean {
  try {
    return statSync(path).ino === fstatSync(fd).ino
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** `timeNano` is text: it has more digits than a number. */
export function encodeEvent({ timeNano, type, action, actor }: EngineEvent): string {
  return JSON.stringify({ timeNano: String(timeNano), action, type, id: actor.id, attributes: actor.attributes })
}

/** The members of a line that say what it is about, `attributes` open for more: what a supervisor's plan carries. */
export function eventSubject(type: string, id: string, attributes: Record<string, string>): string {
  const open = JSON.stringify(attributes).slice(0, -1)
  return `"type":${JSON.stringify(type)},"id":${JSON.stringify(id)},"attributes":${open}`
}

/** How every line begins, before 19 digits. */
const HEAD = '{"timeNano":"'

/** undefined for a line that is none, or older than `since`: then only its time was read. */
export function decodeEvent(line: string, since: bigint): EngineEvent | undefined {
  try {
    if (line.startsWith(HEAD) && BigInt(line.slice(HEAD.length, line.indexOf('"', HEAD.length))) < since)
      return undefined
    const { timeNano, type, action, id, attributes } = JSON.parse(line) as Record<string, unknown>
    return {
      timeNano: BigInt(timeNano as string),
      type: type as string,
      action: action as string,
      actor: { id: id as string, attributes: attributes as Record<string, string> },
    }
  } catch {
    return undefined
  }
}
