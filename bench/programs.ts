/** The C programs of the benchmark, built when it runs. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CHECKOUT } from '../test/helpers/checkout.js'
import { spawnBound } from '../test/helpers/processes.js'

/** Compiles `bench/<name>.c` into `directory` and returns the program's path. */
export function compile(name: string, directory: string): string {
  mkdirSync(directory, { recursive: true })
  const program = join(directory, name)
  execFileSync('gcc', ['-O2', '-static', '-Wall', '-Wextra', '-o', program, join(CHECKOUT, 'bench', `${name}.c`)])
  return program
}

/** A program that answers each line with a line. */
export class LineProgram {
  readonly #child
  readonly #lines: AsyncIterator<string>
  #complaint = ''

  constructor(program: string, words: readonly string[]) {
    this.#child = spawnBound(program, words)
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint += text
    })
    this.#child.stdin.on('error', () => {})
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`the program ended: ${this.#complaint.trim()}`)
    return value
  }

  /** Lets the program end and clean up. */
  async close(): Promise<void> {
    const ended = new Promise((settle) => this.#child.on('close', settle))
    this.#child.stdin.end()
    await ended
  }
}

/** The oracle, see bench/oracle.c. */
export class Oracle {
  readonly #program: LineProgram

  constructor(program: string, lower: string, directory: string, cgroup: string) {
    mkdirSync(directory, { recursive: true })
    this.#program = new LineProgram(program, [lower, directory, cgroup, '/bin/true'])
  }

  /** Nanoseconds until the exit is reaped, and until cgroups and files are removed. */
  async start(): Promise<{ reaped: number; removed: number }> {
    const [reaped = Number.NaN, removed = Number.NaN] = (await this.#program.ask('')).split(' ').map(Number)
    return { reaped, removed }
  }

  close(): Promise<void> {
    return this.#program.close()
  }
}

/** Times commands, see bench/timer.c. */
export class Timer {
  readonly #program: LineProgram

  /** @param within words of a command that becomes the program, for example one that enters a namespace */
  constructor(program: string, within: readonly string[] = []) {
    const [first = '', ...words] = [...within, program]
    this.#program = new LineProgram(first, words)
  }

  /**
   * Nanoseconds of one command.
   *
   * @throws {Error} When the exit code is not 0: a time of a failure means nothing.
   */
  async time(words: readonly string[]): Promise<number> {
    return (await this.cost(words)).nanoseconds
  }

  /** As {@link time}, with the microseconds of CPU of the command and of the processes that it waited for. */
  async cost(words: readonly string[]): Promise<{ nanoseconds: number; cpu: number }> {
    const answer = (await this.#program.ask(words.join('\x1f'))).split(' ').map(Number)
    const [code, nanoseconds = Number.NaN, cpu = Number.NaN] = answer
    if (code !== 0) throw new Error(`\`${words.join(' ')}\` ended with ${code}`)
    return { nanoseconds, cpu }
  }

  close(): Promise<void> {
    return this.#program.close()
  }
}
