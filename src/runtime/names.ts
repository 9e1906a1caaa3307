import { readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** Field 22 of /proc/<pid>/stat: tells a process from a later one with the same pid; '' when there is none. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

let own: string | undefined

/** What a link says beside the id while its container's record is still being written. */
function claimant(): string {
  own ??= `${process.pid.toString(36)}:${Number(startTime(process.pid)).toString(36)}`
  return own
}

const lives = (pid: string | undefined, started: string | undefined): boolean =>
  pid !== undefined && Number(startTime(Number.parseInt(pid, 36))).toString(36) === started

/**
 * A container's id as a link has it. Shorter than in hexadecimal digits: with the claimant it still is less than the 60
 * bytes that ext4 and others keep in the inode, where making and removing a link costs a quarter.
 */
export const linkTarget = (id: string): string => Buffer.from(id, 'hex').toString('base64url')
const idOfTarget = (target: string): string => Buffer.from(target, 'base64url').toString('hex')

/**
 * Names of containers: a symbolic link each, to the id; while the container is made, and for the whole life of an owned
 * one, with the pid and start time of who makes it. A name is taken when the record of its container has it, or while
 * such a process lives. So whatever a crash leaves is free again, and two that want a name at once are told apart by
 * symlink(2).
 */
export class NameStore {
  constructor(
    private readonly directory: string,
    private readonly nameOf: (id: string) => string | undefined,
  ) {}

  idOf(name: string): string | undefined {
    return this.#holder(name)?.id
  }

  /**
   * Takes a name for a container whose record does not have it yet.
   *
   * @throws JubakoError ERR_JUBAKO_CONFLICT
   */
  claim(name: string, id: string): void {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        symlinkSync(`${linkTarget(id)}:${claimant()}`, `${this.directory}/${name}`)
        return
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
      }
      const holder = this.#holder(name)
      if (holder !== undefined && (holder.alive || this.nameOf(holder.id) === name)) {
        throw new JubakoError(
          'ERR_JUBAKO_CONFLICT',
          `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
          { path: name },
        )
      }
      this.release(name, holder?.id)
    }
    throw new JubakoError('ERR_JUBAKO_CONFLICT', `the container name "${name}" is being taken and given back by others`)
  }

  /** After {@link claim}: the record has the name now. */
  keep(name: string, id: string): void {
    const temporary = `${this.directory}/.${id.slice(0, 12)}:${claimant()}`
    rmSync(temporary, { force: true })
    symlinkSync(linkTarget(id), temporary)
    renameSync(temporary, `${this.directory}/${name}`)
  }

  /** Gives a name back if it still stands for this container. */
  release(name: string, id: string | undefined): void {
    if (id !== undefined && this.idOf(name) !== id) return
    try {
      unlinkSync(`${this.directory}/${name}`)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  count(): number {
    return readdirSync(this.directory).length
  }

  /**
   * Gives back what dead processes left.
   *
   * @returns ids that a living process is at work on
   */
  sweep(): Set<string> {
    const claimed = new Set<string>()
    for (const name of readdirSync(this.directory)) {
      const [temporary, pid, started] = name.startsWith('.') ? name.slice(1).split(':') : []
      if (temporary !== undefined) {
        if (!lives(pid, started)) rmSync(`${this.directory}/${name}`, { force: true })
        continue
      }
      const holder = this.#holder(name)
      if (holder === undefined) continue
      if (holder.alive) claimed.add(holder.id)
      else if (this.nameOf(holder.id) !== name) this.release(name, holder.id)
    }
    return claimed
  }

  #holder(name: string): { id: string; alive: boolean } | undefined {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return undefined
    try {
      const [target, pid, started] = readlinkSync(`${this.directory}/${name}`).split(':')
      return { id: idOfTarget(target!), alive: lives(pid, started) }
    } catch {
      return undefined
    }
  }
}
