import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { CHECKOUT } from './checkout.js'
import { TOOL_ENV } from './processes.js'

export const JUBAKO = join(CHECKOUT, 'bin/jubako')

export interface CliResult {
  code: number | null
  stdout: string
  stderr: string
}

export interface Cli {
  /** Runs the command line to its end. */
  run(
    arguments_: readonly string[],
    options?: { input?: string | Buffer; env?: Record<string, string> },
  ): Promise<CliResult>
  /** Starts it. */
  start(arguments_: readonly string[]): ChildProcessWithoutNullStreams
  /** The command line as a shell has to write it. */
  shell: string
}

/** The command line on the roots of a test. */
export function cli(places: { root: string; runRoot: string }): Cli {
  const before = ['--root', places.root, '--run-root', places.runRoot]
  return {
    run: (arguments_, { input = '', env = {} } = {}) => {
      const child = spawn(JUBAKO, [...before, ...arguments_], { env: { ...TOOL_ENV, ...env } })
      child.stdin.on('error', () => {})
      child.stdin.end(input)
      return result(child)
    },
    start: (arguments_) => spawn(JUBAKO, [...before, ...arguments_], { env: TOOL_ENV }),
    shell: [JUBAKO, ...before].join(' '),
  }
}

/** What a child says until it ends. */
export function result(child: ChildProcessWithoutNullStreams): Promise<CliResult> {
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((settle, fail) => {
    child.on('error', fail)
    child.on('close', (code) => {
      settle({ code, stdout: Buffer.concat(out).toString('latin1'), stderr: Buffer.concat(err).toString() })
    })
  })
}

/** A program on a terminal of its own (script(1)), 100 columns by 30 rows. */
export class Terminal {
  readonly #child: ChildProcessWithoutNullStreams
  readonly ended: Promise<CliResult>
  text = ''

  constructor(command: string) {
    const sized = `stty rows 30 cols 100; ${command}`
    this.#child = spawn('script', ['-qefc', sized, '/dev/null'], {
      env: { ...TOOL_ENV, SHELL: '/bin/sh', TERM: 'dumb' },
    })
    this.#child.stdin.on('error', () => {})
    this.ended = result(this.#child)
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1')
    })
  }

  /** Types, and waits until the terminal shows what matches after it. */
  async type(keys: string, expected: RegExp, timeoutMs = 30_000): Promise<string> {
    const from = this.text.length
    this.#child.stdin.write(keys, 'latin1')
    return this.sees(expected, from, timeoutMs)
  }

  async sees(expected: RegExp, from = 0, timeoutMs = 30_000): Promise<string> {
    for (const end = Date.now() + timeoutMs; ; ) {
      const text = this.text.slice(from)
      if (expected.test(text)) return text
      if (Date.now() > end) throw new Error(`the terminal does not show ${expected}: ${JSON.stringify(text)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
