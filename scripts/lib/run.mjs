import { spawnSync } from 'node:child_process'
import { ROOT } from './root.mjs'

/**
 * Runs a command in the checkout and shows its output only when it fails.
 *
 * @throws {Error} With the command's output, when it does not end with 0.
 */
export function runQuietly(command, args, { what, env = process.env } = {}) {
  const result = spawnSync(command, args, {
    cwd: ROOT,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
  })
  if (result.error) throw result.error
  if (result.status === 0) return result.stdout
  process.stderr.write(`${result.stdout}${result.stderr}`)
  throw new Error(`${what ?? [command, ...args].join(' ')} failed (${result.signal ?? `exit code ${result.status}`})`)
}

/** Runs the main function of a script: an error is one message and exit code 1. */
export async function main(act) {
  try {
    await act()
  } catch (error) {
    process.stderr.write(`jubako: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
