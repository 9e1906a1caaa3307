import type { Readable, Writable } from 'node:stream'
import { invalidArgument, JubakoError } from '../errors/index.js'
import { AttachMask, Frame, FrameReader } from '../native/index.js'
import {
  type Beginning,
  type ContainerConfig,
  connectIfRunning,
  decodeExit,
  type ExitInfo,
  FramedStreams,
  followLog,
  readLog,
  request,
  requests,
  waitForExit,
} from '../runtime/index.js'
import { commitContainer } from './commit.js'
import { FilesOf } from './container-files.js'
import type { Change, CopyInOptions, CopyOutOptions, PathStat, ProcessTable } from './container-types.js'
import type { EngineContext } from './context.js'
import { changesOf } from './diff.js'
import { execIn } from './exec.js'
import { execsOf } from './execs.js'
import { cgroupOf, freeze, thaw } from './freezing.js'
import { inspectContainer } from './inspect.js'
import type { Launch } from './launch.js'
import { followSignal, selectLog } from './logs.js'
import { checkName } from './names.js'
import { refuseRemoved, removeContainer } from './remove.js'
import { signalName, signalNumber } from './signals.js'
import type { CommitOptions, CommittedImage, Snapshot, SnapshotOptions } from './snapshot-types.js'
import { freezeContainer, publicSnapshot } from './snapshots.js'
import { attachMask, type Started } from './start.js'
import { startOnce } from './start-once.js'
import { snapshotOf, summaryOf } from './state.js'
import { networkStats } from './stats.js'
import { killContainer, killForGood, notRunning, stopContainer, untilGone } from './stop.js'
import { processTable } from './top.js'
import type {
  Attachment,
  AttachOptions,
  Container,
  ContainerStats,
  ContainerSummary,
  ExecInfo,
  ExecOptions,
  ExecProcess,
  ExitStatus,
  LogEntry,
  LogOptions,
  RemoveOptions,
  StartOptions,
  StopOptions,
  UpdateOptions,
} from './types.js'
import { updateContainer } from './update.js'

/** The engine's {@link Container}: a view on a record on disk and, if this process started it, on its supervisor. */
export class ContainerHandle implements Container {
  readonly id: string
  #started: Started | undefined
  /** Of a start whose first life is over and that was followed by others. */
  #restarted: Started | undefined
  /** Of a start that wanted streams and found it running. */
  #joined: Attachment | undefined
  #stopWatching: (() => void) | undefined

  constructor(
    private readonly context: EngineContext,
    private config: ContainerConfig,
    /** Of one that has no record yet: its first start writes it. */
    private beginning?: Beginning,
  ) {
    this.id = config.id
  }

  get name(): string {
    return this.config.name
  }

  get stdin(): Writable | null {
    return this.#streams?.stdin ?? null
  }

  get stdout(): Readable | null {
    return this.#streams?.stdout ?? null
  }

  get stderr(): Readable | null {
    return this.#streams?.stderr ?? null
  }

  async start(
    options: StartOptions & { signal?: AbortSignal | undefined; launch?: Launch | undefined } = {},
  ): Promise<void> {
    const { beginning } = this
    this.beginning = undefined
    if (beginning === undefined) {
      this.#reload()
      refuseRemoved(this.config)
    }
    const started = await startOnce(this.context, this.config, options, options.launch, beginning)
    if (started === undefined) {
      if (snapshotOf(this.context, this.config).state === 'paused') {
        throw stateError('cannot start a paused container, try unpause instead')
      }
      this.#joined = options.attach && (await this.attach(options.attach))
      return
    }
    if (options.attach !== undefined) this.#event('attach')
    this.#started = started
    const { supervised } = started
    if (!this.config.owned && options.attach === undefined) supervised.release()
    if (this.config.restart.policy !== 'no') {
      // This process's part ends with the first life: the next ones are the supervisor's alone.
      void supervised.exit.then((exit) => {
        if (exit?.restarting !== true || this.#started !== started) return
        supervised.release()
        this.#restarted = started
        this.#started = undefined
      })
    }
    const { signal } = options
    if (signal === undefined) return
    const abort = () => void this.kill('SIGKILL').catch(() => {})
    signal.addEventListener('abort', abort, { once: true })
    this.#stopWatching = () => signal.removeEventListener('abort', abort)
    void supervised.exit.then(this.#stopWatching)
    if (signal.aborted) abort()
  }

  async wait(): Promise<ExitStatus> {
    const joined = await this.#joined?.ended
    if (joined) return joined
    this.#started?.supervised.hold()
    const exit = await (this.#started === undefined ? this.#waitForOther() : this.#ownExit(this.#started))
    if (exit === null) {
      const lost = snapshotOf(this.context, this.config)
      // As docker has it: what was never started is not waited for.
      if (lost.state === 'created') return { exitCode: 0, signal: null, oomKilled: false }
      return lost.exit ?? { exitCode: 137, signal: 'SIGKILL', oomKilled: false }
    }
    return {
      exitCode: exit.exitCode,
      signal: exit.signal === 0 ? null : signalName(exit.signal),
      oomKilled: exit.oomKilled,
    }
  }

  async kill(signal: string | number = 'SIGKILL'): Promise<void> {
    const number = signalNumber(signal)
    // Told before it is done: else the supervisor could tell of the end first.
    if (snapshotOf(this.context, this.config).pid !== 0) this.#event('kill', { signal: String(number) })
    await killContainer(this.context, this.config, number)
  }

  async stop(options: StopOptions = {}): Promise<void> {
    if (!this.context.store.isRunning(this.id)) {
      // As Docker has it: what waits for the next start of the machine to be started again is stopped by this too.
      if (this.config.restart.policy !== 'no') this.context.store.markStopped(this.id)
      return
    }
    const ended = () => waitForExit(this.#paths.socket)
    await stopContainer(this.context, this.config, options, ended, (signal) =>
      this.#event('kill', { signal: String(signal) }),
    )
    await this.#settled()
    this.#event('stop')
  }

  async restart(options: StopOptions = {}): Promise<void> {
    await this.stop(options)
    await this.start()
    this.#event('restart')
  }

  async rename(name: string): Promise<void> {
    this.#reload()
    if (name === this.name) {
      throw invalidArgument('Renaming a container with the same name as its current name')
    }
    checkName(name)
    const oldName = `/${this.name}`
    this.config = this.context.store.rename(this.config, name)
    const { subject } = this.context.events.planOf(this.config)
    await request(this.#paths.socket, requests.subject(subject))
    this.#event('rename', { oldName })
  }

  async update(options: UpdateOptions): Promise<string[]> {
    this.#reload()
    const { config, warnings } = await updateContainer(this.context, this.config, options)
    this.config = config
    this.#event('update')
    return warnings
  }

  async pause(): Promise<void> {
    const { state } = snapshotOf(this.context, this.config)
    if (state === 'paused') throw stateError(`Container ${this.id} is already paused`)
    if (state !== 'running' || !(await freeze(this.#cgroup))) throw notRunning(this.config, state)
    this.#event('pause')
  }

  async unpause(): Promise<void> {
    const { state } = snapshotOf(this.context, this.config)
    if (state !== 'paused' || !(await thaw(this.#cgroup))) throw stateError(`Container ${this.id} is not paused`)
    this.#event('unpause')
  }

  exec(command: string[], options: ExecOptions = {}): Promise<ExecProcess> {
    return execIn(this.context, this.config, command, options)
  }

  async execs(): Promise<ExecInfo[]> {
    return execsOf(this.context, this.config)
  }

  async attach(options: AttachOptions = {}): Promise<Attachment> {
    const socket = await connectIfRunning(this.#paths.socket)
    if (socket === null) throw notRunning(this.config)
    const mask = attachMask(options, this.config.stdin, this.config.tty)
    const streams = new FramedStreams(socket, mask | AttachMask.stdout)
    let status: ExitStatus | null = null
    const reader = new FrameReader((type, payload) => {
      if (streams.accept(type, payload) || type !== Frame.exit) return
      const exit = decodeExit(payload)
      const { exitCode, signal, oomKilled } = exit
      status = { exitCode, signal: signal === 0 ? null : signalName(signal), oomKilled }
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => {})
    socket.on('end', () => socket.destroy())
    const ended = new Promise<ExitStatus | null>((resolve) => {
      socket.on('close', () => {
        streams.end()
        resolve(status)
      })
    })
    socket.write(Buffer.concat([requests.attach(mask), requests.wait()]))
    this.#event('attach')
    return {
      stdin: streams.stdin,
      stdout: streams.stdout!,
      stderr: streams.stderr,
      detach: () => {
        if (!socket.destroyed) this.#event('detach')
        socket.destroy()
      },
      ended,
    }
  }

  async resize(columns: number, rows: number): Promise<void> {
    const frame = requests.resize(columns, rows)
    this.#event('resize', { height: String(rows), width: String(columns) })
    if (this.#started !== undefined) {
      this.#started.supervised.write(frame)
      return
    }
    const socket = await connectIfRunning(this.#paths.socket)
    if (socket === null) throw notRunning(this.config)
    await new Promise<void>((resolve) => socket.end(frame, () => resolve()))
    socket.destroy()
  }

  async *logs(options: LogOptions = {}): AsyncGenerator<LogEntry> {
    for await (const batch of this.logBatches(options)) yield* batch
  }

  async *logBatches(options: LogOptions = {}): AsyncGenerator<LogEntry[]> {
    if (this.config.logDriver === 'none') {
      throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', 'configured logging driver does not support reading', {
        hint: this.config.owned ? 'an owned container keeps no log: read its stdout' : 'use --log-driver json-file',
      })
    }
    const { log, socket } = this.#paths
    const lines = options.follow ? followLog(log, waitForExit(socket), followSignal(options)) : readLog(log)
    yield* selectLog(lines, options)
  }

  async stats(): Promise<ContainerStats> {
    const { pid, state } = snapshotOf(this.context, this.config)
    if (state !== 'running' && state !== 'paused') throw notRunning(this.config)
    return { ...this.#cgroup.stats(), network: this.config.network === 'host' ? {} : networkStats(pid) }
  }

  async summary(): Promise<ContainerSummary> {
    this.#reload()
    return summaryOf(this.context, this.config)
  }

  async top(psArguments: readonly string[] = []): Promise<ProcessTable> {
    const { state } = snapshotOf(this.context, this.config)
    if (state !== 'running' && state !== 'paused') throw notRunning(this.config, state)
    const table = await processTable(this.#cgroup.processes(), psArguments)
    this.#event('top')
    return table
  }

  get files(): FilesOf {
    return new FilesOf(this.context, this.config)
  }

  stat(path: string): Promise<PathStat> {
    return this.files.stat(path)
  }

  copyOut(path: string, options: CopyOutOptions = {}): Promise<{ stat: PathStat; stream: Readable }> {
    return this.files.copyOut(path, options)
  }

  copyIn(directory: string, archive: Readable, options: CopyInOptions = {}): Promise<void> {
    return this.files.copyIn(directory, archive, options)
  }

  export(options: { signal?: AbortSignal } = {}): Promise<Readable> {
    return this.files.export(options)
  }

  async changes(): Promise<Change[]> {
    return changesOf(this.context, this.config)
  }

  async settings(): Promise<{ tty: boolean; stdin: boolean; stdinOnce: boolean }> {
    const { tty, stdin, stdinOnce = true } = this.config
    return { tty, stdin, stdinOnce }
  }

  async inspect(): Promise<Record<string, unknown>> {
    this.#reload()
    return inspectContainer(this.context, this.config)
  }

  async snapshot(options: SnapshotOptions = {}): Promise<Snapshot> {
    await this.#finished()
    const { config, snapshot } = await freezeContainer(this.context, this.id, { listed: true, name: options.name })
    this.config = config
    return publicSnapshot(snapshot)
  }

  async commit(options: CommitOptions = {}): Promise<CommittedImage> {
    await this.#finished()
    this.#reload()
    const { image, config } = await commitContainer(this.context, this.config, options)
    this.config = config
    return image
  }

  async remove(options: RemoveOptions = {}): Promise<void> {
    const { store } = this.context
    await this.#finished()
    if (store.isRunning(this.id)) {
      if (!options.force) {
        const { state: now } = snapshotOf(this.context, this.config)
        const state = now === 'paused' || now === 'restarting' ? now : 'running'
        const remedy = state === 'paused' ? 'unpause and then stop' : 'stop'
        throw new JubakoError(
          'ERR_JUBAKO_CONFLICT',
          `cannot remove container "${this.name}": container is ${state}: ${remedy} the container before removing or force remove`,
        )
      }
      this.#event('kill', { signal: '9' })
      await killForGood(this.context, this.config, () => waitForExit(this.#paths.socket))
      await this.#settled()
    }
    await removeContainer(this.context, this.config, options.volumes ?? false)
  }

  async close(): Promise<void> {
    if (!this.config.owned) return
    const started = this.#started
    if (started === undefined) {
      await removeContainer(this.context, this.config)
      return
    }
    // The end of the control socket is the order to kill and remove everything.
    started.supervised.init.control.end()
    for (const stream of [started.stdin, started.stdout, started.stderr]) stream?.destroy()
    await started.supervised.gone
    this.context.store.names.release(this.name, this.id)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Lets a supervisor whose container has ended finish its cleaning. */
  async #finished(): Promise<void> {
    if (this.context.store.isEnding(this.id)) await this.#settled()
  }

  /** Everything of the run is gone: the process, its cgroup and, with autoRemove, the files. */
  async #settled(): Promise<void> {
    if (this.#started !== undefined) {
      this.#started.supervised.hold()
      await unlessUnread(this.#started.supervised.gone, () => untilGone(this.context, this.id))
      return
    }
    await untilGone(this.context, this.id)
  }

  get #streams(): Pick<Started, 'stdin' | 'stdout' | 'stderr'> | undefined {
    return this.#started ?? this.#restarted ?? this.#joined
  }

  /** Another process may have changed the record. */
  #reload(): void {
    this.config = this.context.store.load(this.id) ?? this.config
  }

  /** Attached to it, its output comes first. */
  #ownExit({ supervised }: Started): Promise<ExitInfo | null> {
    if (supervised.streams.stdout === null) return supervised.exit
    return unlessUnread(supervised.exit, () => this.#waitForOther())
  }

  async #waitForOther(): Promise<Awaited<ReturnType<typeof waitForExit>>> {
    const live = await waitForExit(this.#paths.socket)
    return live ?? this.context.store.exitRecord(this.id) ?? null
  }

  #event(action: string, attributes: Record<string, string> = {}): void {
    this.context.events.container(this.config, action, attributes)
  }

  get #paths() {
    return this.context.store.places.of(this.id)
  }

  get #cgroup() {
    return cgroupOf(this.context, this.config)
  }
}

/** What comes behind output that nobody may be reading; after a while what is learned in another way will do. */
async function unlessUnread<T>(told: Promise<T>, learned: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => learned().then(resolve, reject), UNREAD_MS)
  })
  try {
    return await Promise.race([told, late])
  } finally {
    clearTimeout(timer)
  }
}

const UNREAD_MS = 500

const stateError = (message: string): JubakoError => new JubakoError('ERR_JUBAKO_STATE', message)
