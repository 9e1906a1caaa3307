import { addon } from './addon.js'

/**
 * Sets a terminal to raw mode, cfmakeraw(3): every byte passes unchanged in both directions.
 *
 * @returns puts the settings from before back; undefined when `fd` is no terminal
 */
export function makeRaw(fd: number): (() => void) | undefined {
  const before = addon().makeRaw(fd)
  return typeof before === 'number' ? undefined : () => void addon().setTerminal(fd, before)
}
