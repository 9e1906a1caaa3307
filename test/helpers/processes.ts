import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'

/** Starts a program that dies with this process, however this process ends. */
export function spawnBound(program: string, arguments_: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...arguments_], { stdio: 'pipe' })
}

/** Debian keeps tools of the administrator where a plain user's PATH does not look. */
export const TOOL_ENV = {
  ...process.env,
  PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`,
  LC_ALL: 'C.UTF-8',
}

/** Runs a tool to its end and returns its standard output; its standard error is part of the error when it fails. */
export function tool(program: string, arguments_: readonly string[], options: { cwd?: string } = {}): Promise<string> {
  return new Promise((settle, fail) => {
    execFile(
      program,
      arguments_,
      { ...options, env: TOOL_ENV, maxBuffer: 1 << 28, encoding: 'utf8' },
      (error, stdout, stderr) => {
        if (error === null) settle(stdout)
        else fail(new Error(`${[program, ...arguments_].join(' ').slice(0, 500)}: ${stderr.trim() || error.message}`))
      },
    )
  })
}
