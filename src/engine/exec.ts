import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { invalidArgument, isJubakoError, JubakoError } from '../errors/index.js'
import { type ContainerConfig, planExec, requests, type Supervised, startSupervised } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { recordText } from './execs.js'
import { cgroupOf } from './freezing.js'
import { readHost } from './host.js'
import { newId } from './merge.js'
import { signalName, signalNumber } from './signals.js'
import { attachMask, supervisedStreams } from './start.js'
import { notRunning } from './stop.js'
import type { ExecOptions, ExecProcess, ExitStatus } from './types.js'

function environment(config: ContainerConfig, options: ExecOptions): string[] {
  const given = options.env ?? []
  const entries = Array.isArray(given) ? given : Object.entries(given).map(([name, value]) => `${name}=${value}`)
  const merged = new Map<string, string>()
  const terminal = options.tty && !config.tty ? ['TERM=xterm'] : []
  for (const entry of [...terminal, ...config.env, ...entries]) {
    const at = entry.indexOf('=')
    if (at > 0) merged.set(entry.slice(0, at), entry)
  }
  return [...merged.values()]
}

/** Starts a process in a running container. */
export async function execIn(
  context: EngineContext,
  config: ContainerConfig,
  command: string[],
  options: ExecOptions,
): Promise<ExecProcess> {
  if (command.length === 0 || command[0] === '') throw invalidArgument('no command specified')
  if (options.workdir && !options.workdir.startsWith('/')) {
    throw invalidArgument(`the working directory '${options.workdir}' is invalid, it needs to be an absolute path`, {
      step: 'workdir',
    })
  }
  options.signal?.throwIfAborted()
  const cgroup = cgroupOf(context, config)
  if (!context.store.isRunning(config.id)) throw notRunning(config)
  if (context.store.exitRecord(config.id)?.restarting === true) throw notRunning(config, 'restarting')
  if (cgroup.state() !== 'thawed') {
    throw new JubakoError('ERR_JUBAKO_STATE', `Container ${config.id} is paused, unpause the container before exec`, {
      hint: `jubako unpause ${config.name}`,
    })
  }
  const tty = options.tty ?? false
  const stdin = options.stdin ?? false
  const detached = options.detached ?? false
  const execId = options.id ?? newId()
  const launch = context.spares.take({ role: 'exec', piped: !detached && !tty, stdin, namespaces: 0 }, config.id)
  const { pipes } = launch
  let supervised: Supervised
  try {
    const mask = tty && !detached ? attachMask({}, stdin, true) : 0
    const nowhere = [{ kind: 'null' }, { kind: 'null' }, { kind: 'null' }] as const
    const details = {
      command,
      tty,
      stdin,
      user: options.user ?? config.user,
      workdir: options.workdir ?? config.workdir,
      privileged: options.privileged ?? false,
    }
    const plan = planExec({
      config,
      paths: context.store.places.of(config.id),
      cgroup,
      host: readHost(),
      argv: command,
      env: environment(config, options),
      user: details.user,
      workdir: details.workdir,
      privileged: details.privileged,
      tty,
      owned: !detached && options.outlives !== true,
      reusable: pipes !== undefined,
      streams: pipes?.streams ?? (tty ? supervisedStreams({ tty, stdin }) : nowhere),
      attachMask: mask,
      rows: options.rows ?? 0,
      columns: options.columns ?? 0,
      events: context.events.execPlanOf(config, execId, command),
      record: { id: execId, text: recordText(details) },
    })
    const starting = startSupervised(launch.init, plan, `cannot exec in container ${config.name}`)
    if (pipes === undefined) context.spares.follow(launch)
    else context.spares.reuse(launch)
    supervised = await starting
  } catch (error) {
    await launch.abandon()
    if (!(await hasEnded(context, config.id, error))) throw error
    throw new JubakoError('ERR_JUBAKO_STATE', `container ${config.id} is not running`, { cause: error })
  }
  const ends = pipes?.take() ?? supervised.streams
  const kill = async (signal: string | number = 'SIGKILL'): Promise<void> => {
    supervised.write(requests.kill(signalNumber(signal)))
  }
  options.signal?.addEventListener('abort', () => void kill('SIGKILL'), { once: true })
  if (detached) supervised.release()
  const status = supervised.exit.then((exit): ExitStatus => {
    if (exit === null) return { exitCode: 137, signal: 'SIGKILL', oomKilled: false }
    return {
      exitCode: exit.exitCode,
      signal: exit.signal === 0 ? null : signalName(exit.signal),
      oomKilled: exit.oomKilled,
    }
  })
  return {
    id: execId,
    pid: supervised.pid,
    stdin: ends.stdin,
    stdout: ends.stdout,
    stderr: ends.stderr,
    wait: () => status,
    kill,
    resize: async (columns, rows) => supervised.write(requests.resize(columns, rows)),
  }
}

/**
 * Whether an exec failed because the container's first process ends: the kernel says ESRCH, ENODEV or ENOMEM from then on,
 * which is a moment before the process is seen to have ended.
 */
async function hasEnded({ store }: EngineContext, id: string, error: unknown): Promise<boolean> {
  const ended = () => !store.isRunning(id) || !isAlive(store.runRecord(id)?.pid)
  const doubtful = isJubakoError(error) && ['ESRCH', 'ENODEV', 'ENOMEM'].includes(error.errnoName ?? '')
  for (let attempt = 0; doubtful && attempt < 50 && !ended(); attempt++) await sleep(2)
  return ended()
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined || pid === 0) return false
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}
