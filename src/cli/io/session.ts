import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import type { CommandContext } from '../command.js'
import { DEFAULT_DETACH_KEYS } from '../values/detach-keys.js'
import { pumpInput, rawTerminal, terminalSize } from './terminal.js'

/** Streams of a container or exec, and what a terminal session does to it. */
export interface SessionTarget {
  stdin: Writable | null
  stdout: Readable | null
  stderr: Readable | null
  resize(columns: number, rows: number): Promise<void>
  kill(signal: string): Promise<void>
}

export interface SessionOptions {
  tty: boolean
  /** Forward signals that this process gets. */
  signalProxy: boolean
  detachKeys?: readonly number[] | undefined
}

/** Signals that mean something to this process itself, or come from its own doing. */
const notForwarded = new Set([
  'SIGKILL',
  'SIGSTOP',
  'SIGCHLD',
  'SIGCLD',
  'SIGPIPE',
  'SIGWINCH',
  'SIGURG',
  'SIGPROF',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGCONT',
  'SIGSEGV',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
  'SIGABRT',
  'SIGIOT',
  'SIGTRAP',
  'SIGSYS',
  'SIGSTKFLT',
  'SIGIO',
  'SIGPOLL',
  'SIGVTALRM',
  'SIGALRM',
  'SIGUNUSED',
])

const forwarded = Object.keys(constants.signals).filter((name) => !notForwarded.has(name))

async function copy(from: Readable | null, to: CommandContext['out']): Promise<void> {
  if (from === null) return
  try {
    for await (const chunk of from) await to.bytes(chunk as Buffer)
  } catch (error) {
    // A stream that was destroyed by a detach.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

/**
 * Connects this process's standard streams with a container's until its output ends or the user detaches.
 *
 * @returns whether the user detached
 */
export async function runSession(
  target: SessionTarget,
  options: SessionOptions,
  context: Pick<CommandContext, 'out' | 'err'>,
): Promise<boolean> {
  const undo: (() => void)[] = []
  let detach!: () => void
  const detached = new Promise<true>((resolve) => {
    detach = () => resolve(true)
  })
  try {
    if (options.tty) {
      if (target.stdin !== null) undo.push(rawTerminal())
      const resize = () => {
        const { columns, rows } = terminalSize()
        if (columns > 0) void target.resize(columns, rows).catch(() => {})
      }
      process.on('SIGWINCH', resize)
      undo.push(() => process.off('SIGWINCH', resize))
    }
    if (options.signalProxy && !options.tty) {
      for (const name of forwarded) {
        const forward = () => void target.kill(name).catch(() => {})
        try {
          process.on(name as NodeJS.Signals, forward)
        } catch {
          continue
        }
        undo.push(() => process.off(name as NodeJS.Signals, forward))
      }
    }
    if (target.stdin !== null) {
      undo.push(pumpInput(target.stdin, options.tty ? (options.detachKeys ?? DEFAULT_DETACH_KEYS) : [], detach))
    }
    const copied = Promise.all([copy(target.stdout, context.out), copy(target.stderr, context.err)])
    return await Promise.race([copied.then(() => false), detached])
  } finally {
    for (const step of undo.reverse()) step()
  }
}

/** Gives a container this terminal's size, by way of another: what it shows it draws anew for who comes later. */
export async function redraw(target: Pick<SessionTarget, 'resize'>): Promise<void> {
  const { columns, rows } = terminalSize()
  if (columns === 0) return
  await target.resize(columns + 1, rows + 1)
  await target.resize(columns, rows)
}
