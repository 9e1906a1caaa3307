import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Directory, outside the checkout, for what tests build once and use again: images, a kernel.
 * `JUBAKO_TEST_CACHE`, else `$XDG_CACHE_HOME/jubako-test`, else `~/.cache/jubako-test`.
 */
export function testCache(): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const directory = process.env.JUBAKO_TEST_CACHE || join(base, 'jubako-test')
  mkdirSync(directory, { recursive: true })
  return directory
}
