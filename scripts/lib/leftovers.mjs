import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const read = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const names = (directory) => {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

const ours = (name) => /^(jubako|jk[0-9a-f])/.test(name)

const CGROUPS = '/sys/fs/cgroup'

/** Everything on this machine that has our name; what other programs do meanwhile does not count. */
function present() {
  const init = (pid) => /^\d+$/.test(pid) && read(`/proc/${pid}/cmdline`).startsWith('jubako-init\0')
  const below = (directory, like) =>
    names(directory)
      .filter(like)
      .map((name) => `${directory}/${name}`)
  return new Set([
    ...names('/proc')
      .filter(init)
      .map((pid) => `process ${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`),
    ...read('/proc/self/mountinfo')
      .split('\n')
      .filter((line) => /jubako/.test(line))
      .map((line) => `mount ${line}`),
    ...[CGROUPS, ...names(CGROUPS).map((name) => `${CGROUPS}/${name}`)].flatMap((directory) => below(directory, ours)),
    ...names('/sys/class/net')
      .filter(ours)
      .map((name) => `link ${name}`),
    ...(spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' }).stdout ?? '')
      .split('\n')
      .filter((line) => /jubako/.test(line)),
    ...below('/run', (name) => ours(name) && name !== 'jubako'),
    ...below(tmpdir(), (name) => ours(name) || /^\.?org\.chromium/.test(name)),
  ])
}

/**
 * Runs `act` and names what it left on the machine: processes, mounts, cgroups, links, tables, temporary files.
 *
 * @param {() => Promise<void>} act
 * @returns {Promise<string[]>}
 */
export async function leftoversOf(act) {
  const before = present()
  await act()
  // The last of it may go a moment after the test.
  for (let attempt = 0; ; attempt++) {
    const left = [...present()].filter((item) => !before.has(item))
    if (left.length === 0 || attempt === 30) return left
    await sleep(100)
  }
}
