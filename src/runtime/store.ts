import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import { isLocked, removeTree } from '../native/index.js'
import type { ContainerConfig } from './config.js'
import type { ExitInfo } from './connection.js'
import { NameStore } from './names.js'
import type { Places } from './paths.js'
import { readJson } from './read-json.js'
import { type ContainerRecords, RecordCache } from './record-cache.js'

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** What the supervisor says of a running container, or of a process that exec started in it. */
export interface RunRecord {
  pid: number
  startedAt: number
  /** Restarts so far. */
  restartCount: number
}

/** Files of the engine's own that the container sees. */
export interface ManagedFiles {
  hosts: string
  hostname: string
  resolvConf: string
}

/** What a new container's directory begins with. */
export interface Beginning {
  files: ManagedFiles
  /** Of the upper layer's root, which is the container's root directory. */
  rootMode: number
}

/**
 * Container records on disk: one directory per container, one symbolic link per name. Synchronous: each call is a
 * handful of system calls on small files.
 */
export class ContainerStore {
  readonly names: NameStore
  readonly #records: RecordCache

  constructor(readonly places: Places) {
    this.names = new NameStore(places.names, (id) => this.load(id)?.name)
    this.#records = new RecordCache(places)
  }

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
  create(config: ContainerConfig, { files, rootMode }: Beginning): void {
    const paths = this.places.of(config.id)
    // The claim says that somebody is at work on the directory.
    this.names.claim(config.name, config.id)
    try {
      mkdirSync(paths.directory, { mode: 0o700 })
      mkdirSync(paths.upper, { mode: rootMode })
      mkdirSync(paths.work, { mode: 0o700 })
      writeFileSync(paths.hosts, files.hosts, { mode: 0o644 })
      writeFileSync(paths.hostname, files.hostname, { mode: 0o644 })
      writeFileSync(paths.resolvConf, files.resolvConf, { mode: 0o644 })
      this.save(config)
      this.names.keep(config.name, config.id)
    } catch (error) {
      rmSync(paths.directory, { recursive: true, force: true })
      this.names.release(config.name, config.id)
      throw error
    }
  }

  /**
   * The record of a container whose directory its supervisor makes.
   *
   * @returns false when the directory is not there: not yet, or not any more
   * @see beginSteps
   */
  saveStarted(config: ContainerConfig): boolean {
    try {
      this.save(config)
      return true
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      return false
    }
  }

  /**
   * Gives a container another name. A crash leaves it with one of the two, and the other free.
   *
   * @returns the record with the new name
   * @throws JubakoError ERR_JUBAKO_CONFLICT when the name is taken
   */
  rename(config: ContainerConfig, name: string): ContainerConfig {
    this.names.claim(name, config.id)
    const renamed = { ...config, name }
    const { directory } = this.places.of(config.id)
    try {
      // Its supervisor, which may remove it at its end, has the name of before in its plan.
      symlinkSync(name, `${directory}/renamed.tmp`)
      renameSync(`${directory}/renamed.tmp`, `${directory}/renamed`)
      this.save(renamed)
    } catch (error) {
      this.names.release(name, config.id)
      throw error
    }
    this.names.keep(name, config.id)
    this.names.release(config.name, config.id)
    return renamed
  }

  save(config: ContainerConfig): void {
    const { config: path } = this.places.of(config.id)
    writeFileSync(`${path}.tmp`, `${JSON.stringify(config)}\n`, { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
  }

  load(id: string): ContainerConfig | undefined {
    return readJson<ContainerConfig>(this.places.of(id).config)
  }

  ids(): string[] {
    return readdirSync(this.places.containers).filter((name) => /^[0-9a-f]{64}$/.test(name))
  }

  /** Records of all containers, read anew only when they have changed. */
  records(): ContainerRecords[] {
    return this.#records.all()
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
    const named = this.names.idOf(wanted)
    const byName = named === undefined ? undefined : this.load(named)
    if (byName?.name === wanted) return byName
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

  /** True while its supervisor lives; for a moment longer than its process. */
  isRunning(id: string): boolean {
    return isLocked(this.places.of(id).lock)
  }

  runRecord(id: string): RunRecord | undefined {
    return readJson<RunRecord>(this.places.of(id).state)
  }

  exitRecord(id: string): ExitInfo | undefined {
    return readJson<ExitInfo>(this.places.of(id).exit)
  }

  /** True when its last run has ended but its supervisor still cleans up. */
  isEnding(id: string): boolean {
    const exit = this.exitRecord(id)
    return exit !== undefined && exit.restarting !== true && this.isRunning(id)
  }

  /** Whether somebody stopped it by hand since it was started. */
  wasStopped(id: string): boolean {
    return existsSync(this.places.of(id).stopped)
  }

  /** Notes that somebody stops it by hand: no restart policy may undo that. */
  markStopped(id: string): void {
    writeFileSync(this.places.of(id).stopped, '', { mode: 0o600 })
  }

  clearStopped(id: string): void {
    rmSync(this.places.of(id).stopped, { force: true })
  }

  saveExit(id: string, record: ExitInfo): void {
    const { exit } = this.places.of(id)
    writeFileSync(`${exit}.tmp`, `${JSON.stringify(record)}\n`, { mode: 0o600 })
    renameSync(`${exit}.tmp`, exit)
  }

  wasStarted(id: string): boolean {
    return existsSync(this.places.of(id).started)
  }

  /** @param boot tells this start of the machine from others */
  markStarted(id: string, boot: string): void {
    writeFileSync(this.places.of(id).started, boot)
  }

  clearStarted(id: string): void {
    rmSync(this.places.of(id).started, { force: true })
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
    this.names.release(config.name, config.id)
    return removed
  }

  /** Deletes what was moved to the trash, of one container or all. */
  async emptyTrash(id?: string): Promise<void> {
    for (const name of readdirSync(this.places.trash)) {
      if (id === undefined || name.startsWith(`${id}-`)) await removeTree(`${this.places.trash}/${name}`)
    }
  }

  /** Ids that a living process is at work on: they need not have a record. */
  claimed(): Set<string> {
    return this.names.sweep()
  }

  /**
   * Removes what a process left that was killed while it made or renamed a container.
   *
   * @param known ids of the containers that have a record
   */
  async removeUnfinished(known: ReadonlySet<string>): Promise<void> {
    const ids = this.ids()
    const unfinished = ids.filter((id) => !known.has(id))
    // A name is claimed before there is a directory: more names than directories are what a crash leaves.
    if (unfinished.length === 0 && this.names.count() <= ids.length) return
    const claimed = this.names.sweep()
    for (const id of unfinished) {
      if (claimed.has(id) || existsSync(this.places.of(id).config)) continue
      await removeTree(this.places.of(id).directory)
    }
  }
}
