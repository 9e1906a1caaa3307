import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './root.mjs'

/** Rooms of test/ in the order they run. `jobs`: files at a time; tests on the real kernel share it one by one. */
const ROOMS = [
  { room: 'suites', jobs: 2, timeoutMs: 120_000 },
  // All Dockerfiles of the comparison install packages for a while.
  { room: 'integration', jobs: 1, timeoutMs: process.env.JUBAKO_ALL_DOCKERFILES === '1' ? 1_800_000 : 300_000 },
  { room: 'regress', jobs: 1, timeoutMs: 300_000 },
]

const VM_TIMEOUT_FACTOR = 2

/**
 * @typedef {{ name: string, source: string, compiled: string, timeoutMs: number, lanes: string[] }} TestFile
 *   `name` is the path below test/ without its ending.
 */

/** A file says where it runs with a comment `lanes: host`, `lanes: vm` or `lanes: host vm` in its first lines. */
function lanesOf(source, room) {
  const stated = /^(?:\/\/|\/?\s*\*+)\s*lanes:\s*([a-z ]+)/m.exec(source.slice(0, 2000))?.[1]
  if (stated) return stated.trim().split(/\s+/)
  return room === 'suites' ? ['host'] : ['host', 'vm']
}

/** @returns {{ room: string, jobs: number, files: TestFile[] }[]} */
export function testRooms(patterns = []) {
  return ROOMS.map(({ room, jobs, timeoutMs }) => {
    const directory = join(ROOT, 'test', room)
    const names = existsSync(directory) ? readdirSync(directory, { recursive: true }) : []
    const files = names
      .filter((name) => name.endsWith('.test.ts'))
      .sort()
      .map((name) => {
        const source = join('test', room, name)
        return {
          name: source.replace(/^test\//, '').replace(/\.test\.ts$/, ''),
          source,
          compiled: join('dist', source.replace(/\.ts$/, '.js')),
          timeoutMs,
          lanes: lanesOf(readFileSync(join(ROOT, source), 'utf8'), room),
        }
      })
      .filter(({ name }) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)))
    return { room, jobs, files }
  })
}

/** Software emulation is slow: a file's time limit in the VM. */
export function vmTimeoutMs(file) {
  return file.timeoutMs * VM_TIMEOUT_FACTOR
}
