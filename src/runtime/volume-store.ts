import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { invalidArgument, JubakoError } from '../errors/index.js'
import { removeTree, renameNoReplace } from '../native/index.js'
import { checkVolumeOptions } from './volume-options.js'

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** What is known of a volume: `volume.json` in its directory. */
export interface VolumeRecord {
  version: 1
  name: string
  /** Milliseconds since the epoch. */
  createdAt: number
  labels: Record<string, string>
  /** Of the local driver: `type`, `device`, `o`; empty for a directory. */
  options: Record<string, string>
  /** Made without a name. */
  anonymous: boolean
}

export interface NewVolume {
  /** Default: 64 hexadecimal digits, and the volume is anonymous. */
  name?: string | undefined
  labels?: Record<string, string> | undefined
  options?: Record<string, string> | undefined
}

/** Docker's rule for names of local volumes. */
export function checkVolumeName(name: string): void {
  if (name.length === 1 && /^[a-zA-Z0-9]$/.test(name)) {
    throw invalidArgument(
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    )
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) || name.length > 255) {
    throw invalidArgument(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    )
  }
}

/**
 * Volumes on disk: `<root>/volumes/<name>/` with `volume.json`, the content in `_data`, and in `users` a file for each
 * container. Without `users` a volume is on its way out.
 */
export class VolumeStore {
  readonly directory: string

  constructor(
    root: string,
    private readonly trash: string,
  ) {
    this.directory = `${root}/volumes`
  }

  /** Where the content is. */
  mountpoint(name: string): string {
    return `${this.directory}/${name}/_data`
  }

  /** Stands while the image's content is being copied in. */
  marker(name: string): string {
    return `${this.directory}/${name}/populating`
  }

  load(name: string): VolumeRecord | undefined {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return undefined
    try {
      return JSON.parse(readFileSync(`${this.directory}/${name}/volume.json`, 'utf8')) as VolumeRecord
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR' || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  /** @throws JubakoError ERR_JUBAKO_NOT_FOUND */
  get(name: string): VolumeRecord {
    const record = this.load(name)
    if (record === undefined)
      throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `get ${name}: no such volume`, { path: name })
    return record
  }

  all(): VolumeRecord[] {
    let names: string[]
    try {
      names = readdirSync(this.directory)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
    return names.sort().flatMap((name) => this.load(name) ?? [])
  }

  /**
   * Makes a volume, or finds the one of that name.
   *
   * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for a name or an option that cannot be
   */
  create(wanted: NewVolume): { record: VolumeRecord; made: boolean } {
    const anonymous = wanted.name === undefined || wanted.name === ''
    const name = anonymous ? randomBytes(32).toString('hex') : (wanted.name as string)
    checkVolumeName(name)
    checkVolumeOptions(name, wanted.options ?? {})
    const found = this.load(name)
    if (found !== undefined) return { record: found, made: false }
    const record: VolumeRecord = {
      version: 1,
      name,
      createdAt: Date.now(),
      labels: { ...wanted.labels, ...(anonymous && { 'com.docker.volume.anonymous': '' }) },
      options: { ...wanted.options },
      anonymous,
    }
    return { record, made: this.#write(record) }
  }

  #write(record: VolumeRecord): boolean {
    const place = `${this.directory}/${record.name}`
    const draft = `${this.directory}/.new-${process.pid}-${randomBytes(6).toString('hex')}`
    mkdirSync(draft, { recursive: true, mode: 0o701 })
    try {
      mkdirSync(`${draft}/_data`, { mode: 0o755 })
      mkdirSync(`${draft}/users`, { mode: 0o700 })
      writeDurably(`${draft}/volume.json`, `${JSON.stringify(record)}\n`)
      if (!renameNoReplace(draft, place)) {
        rmSync(draft, { recursive: true, force: true })
        return false
      }
    } catch (error) {
      rmSync(draft, { recursive: true, force: true })
      throw error
    }
    syncDirectory(this.directory)
    return true
  }

  /** Says that a container uses the volume. False when the volume is gone. */
  acquire(name: string, container: string): boolean {
    try {
      writeFileSync(`${this.directory}/${name}/users/${container}`, '')
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /** The opposite of {@link acquire}. */
  forget(name: string, container: string): void {
    try {
      unlinkSync(`${this.directory}/${name}/users/${container}`)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error
    }
  }

  /** IDs of the containers that said they use it. */
  users(name: string): string[] {
    try {
      return readdirSync(`${this.directory}/${name}/users`)
    } catch {
      return []
    }
  }

  /** Those of {@link users} that are no containers, but for containers that are just being made. */
  strayUsers(name: string, containerExists: (id: string) => boolean): string[] {
    return this.users(name).filter((id) => !containerExists(id) && isOld(`${this.directory}/${name}/users/${id}`))
  }

  /**
   * Removes a volume that no container uses.
   *
   * @returns false when one uses it
   */
  async remove(name: string): Promise<boolean> {
    const place = `${this.directory}/${name}`
    try {
      rmdirSync(`${place}/users`)
    } catch (error) {
      if (codeOf(error) === 'ENOTEMPTY') return false
      if (codeOf(error) !== 'ENOENT') throw error
    }
    const gone = this.trashOf(name)
    try {
      renameSync(place, gone)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return true
      throw error
    }
    await removeTree(gone)
    return true
  }

  /** Where a removed volume waits for its deletion. */
  trashOf(name: string): string {
    return `${this.trash}/volume-${name.slice(0, 64)}-${process.pid}-${randomBytes(4).toString('hex')}`
  }

  /** Takes away what processes left that were killed between two acts. */
  sweep(containerExists: (id: string) => boolean): void {
    if (!existsSync(this.directory)) return
    for (const name of readdirSync(this.directory)) {
      const draft = /^\.new-(\d+)-/.exec(name)
      if (draft !== null) {
        if (!existsSync(`/proc/${draft[1]}`)) rmSync(`${this.directory}/${name}`, { recursive: true, force: true })
        continue
      }
      for (const id of this.strayUsers(name, containerExists)) this.forget(name, id)
      if (!existsSync(`${this.directory}/${name}/users`)) {
        try {
          renameSync(`${this.directory}/${name}`, this.trashOf(name))
        } catch (error) {
          if (codeOf(error) !== 'ENOENT') throw error
        }
      }
    }
  }
}

/** A container that is being made says that it uses a volume before its record stands. */
const graceMs = 60_000

function isOld(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs > graceMs
  } catch {
    return true
  }
}

function writeDurably(path: string, text: string): void {
  const fd = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
