import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { JubakoError } from '../errors/index.js'
import { isLocked, removeTree } from '../native/index.js'
import type { ContainerConfig } from './config.js'
import type { ExitInfo } from './connection.js'
import type { Places } from './paths.js'

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** What the lock file says of a running container. */
export interface RunRecord {
  pid: number
  startedAt: number
}

/** Files of the engine's own that the container sees. */
export interface ManagedFiles {
  hosts: string
  hostname: string
  resolvConf: string
}

/**
 * Container records on disk: one directory per container, one symbolic link per name. Synchronous: each call is a
 * handful of system calls on small files.
 */
export class ContainerStore {
  constructor(readonly places: Places) {}

  /** Makes the directories a root needs. */
  prepare(): void {
    for (const path of [
      this.places.root,
      this.places.containers,
      this.places.names,
      this.places.trash,
      this.places.runRoot,
    ]) {
      mkdirSync(path, { recursive: true, mode: 0o700 })
    }
  }

  /**
   * @throws JubakoError ERR_JUBAKO_CONFLICT when the name is taken
   */
  create(config: ContainerConfig, files: ManagedFiles, rootOwner: { mode: number; uid: number; gid: number }): void {
    const paths = this.places.of(config.id)
    // First the directory: a name whose directory is missing is free for others.
    mkdirSync(paths.directory, { mode: 0o700 })
    try {
      this.#takeName(config.name, config.id)
      // The upper layer's root is the container's root directory.
      mkdirSync(paths.upper, { mode: rootOwner.mode & 0o7777 })
      mkdirSync(paths.work, { mode: 0o700 })
      writeFileSync(paths.hosts, files.hosts, { mode: 0o644 })
      writeFileSync(paths.hostname, files.hostname, { mode: 0o644 })
      writeFileSync(paths.resolvConf, files.resolvConf, { mode: 0o644 })
      this.save(config)
    } catch (error) {
      rmSync(paths.directory, { recursive: true, force: true })
      this.releaseName(config.name, config.id)
      throw error
    }
  }

  save(config: ContainerConfig): void {
    const { config: path } = this.places.of(config.id)
    writeFileSync(`${path}.tmp`, `${JSON.stringify(config)}\n`, { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
  }

  load(id: string): ContainerConfig | undefined {
    const path = this.places.of(id).config
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as ContainerConfig
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }

  ids(): string[] {
    return readdirSync(this.places.containers).filter((name) => /^[0-9a-f]{64}$/.test(name))
  }

  all(): ContainerConfig[] {
    return this.ids().flatMap((id) => this.load(id) ?? [])
  }

  /**
   * By name, id or unique beginning of an id, in this order.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND
   */
  find(nameOrId: string): ContainerConfig {
    const wanted = nameOrId.startsWith('/') ? nameOrId.slice(1) : nameOrId
    const exact = /^[0-9a-f]{64}$/.test(wanted) ? this.load(wanted) : undefined
    if (exact !== undefined) return exact
    const named = this.idOfName(wanted)
    const byName = named === undefined ? undefined : this.load(named)
    if (byName !== undefined) return byName
    const matches = /^[0-9a-f]+$/.test(wanted) ? this.ids().filter((id) => id.startsWith(wanted)) : []
    if (matches.length > 1) {
      throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', `multiple IDs found with provided prefix: ${wanted}`, {
        hint: 'give more digits',
      })
    }
    const config = matches[0] === undefined ? undefined : this.load(matches[0])
    if (config !== undefined) return config
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such container: ${nameOrId}`, { path: nameOrId })
  }

  idOfName(name: string): string | undefined {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return undefined
    try {
      return readlinkSync(`${this.places.names}/${name}`)
    } catch {
      return undefined
    }
  }

  /** True while its supervisor lives; for a moment longer than its process. */
  isRunning(id: string): boolean {
    return isLocked(this.places.of(id).lock)
  }

  runRecord(id: string): RunRecord | undefined {
    return readJson<RunRecord>(this.places.of(id).lock)
  }

  exitRecord(id: string): ExitInfo | undefined {
    return readJson<ExitInfo>(this.places.of(id).exit)
  }

  wasStarted(id: string): boolean {
    return existsSync(`${this.places.of(id).directory}/started`)
  }

  /** Where the removed directory of a container waits for its deletion. */
  trashOf(id: string): string {
    return `${this.places.trash}/${id}-${process.pid}-${Date.now().toString(36)}`
  }

  /**
   * Takes a container out of the records: from here on it does not exist.
   *
   * @returns false when it did not exist any more: somebody else removed it
   */
  moveToTrash(config: ContainerConfig): boolean {
    let removed = true
    try {
      renameSync(this.places.of(config.id).directory, this.trashOf(config.id))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      removed = false
    }
    this.releaseName(config.name, config.id)
    return removed
  }

  /** Deletes what was moved to the trash, of one container or all. */
  async emptyTrash(id?: string): Promise<void> {
    for (const name of readdirSync(this.places.trash)) {
      if (id === undefined || name.startsWith(`${id}-`)) await removeTree(`${this.places.trash}/${name}`)
    }
  }

  /** The modification time of a container's directory in milliseconds, 0 if there is none. */
  changedAt(id: string): number {
    try {
      return statSync(this.places.of(id).directory).mtimeMs
    } catch {
      return 0
    }
  }

  #takeName(name: string, id: string): void {
    const link = `${this.places.names}/${name}`
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        symlinkSync(id, link)
        return
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
      }
      const holder = this.idOfName(name)
      if (holder !== undefined && existsSync(this.places.of(holder).directory)) {
        throw new JubakoError(
          'ERR_JUBAKO_CONFLICT',
          `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
          { path: name },
        )
      }
      this.releaseName(name, holder)
    }
    throw new JubakoError('ERR_JUBAKO_CONFLICT', `the container name "${name}" is being taken and given back by others`)
  }

  /** Gives a name back if it still stands for this container. */
  releaseName(name: string, id: string | undefined): void {
    if (id !== undefined && this.idOfName(name) !== id) return
    try {
      unlinkSync(`${this.places.names}/${name}`)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    return undefined
  }
}
