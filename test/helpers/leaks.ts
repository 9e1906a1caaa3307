/**
 * The leak check: what the kernel and the file system hold before and after.
 *
 * Other programs run on the same machine, so processes count only when they have to do with the watched test: children
 * of this process, members of the watched cgroups, or holders of files below the watched roots.
 */
import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TOOL_ENV } from './processes.js'

export interface LeakOptions {
  /** Directories whose files count: data root, run root. They may be absent. */
  roots?: readonly string[]
  /** Paths below `roots` that may appear, for example the store of an image that the test pulled. */
  mayAppear?: RegExp
  /** Names of cgroups below the top of each hierarchy, for example `jubako`. Their members and children count. */
  cgroups?: readonly string[]
  /** Milliseconds that things may take to go away. Default 3000. */
  settleMs?: number
}

/** Kind of thing -> what there is of it. */
type Snapshot = Record<string, Set<string>>

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function walk(directory: string, into: Set<string>): Set<string> {
  for (const name of list(directory)) {
    const path = join(directory, name)
    into.add(path)
    try {
      if (lstatSync(path).isDirectory()) walk(path, into)
    } catch {
      // removed meanwhile
    }
  }
  return into
}

/** mountinfo without what changes by itself: ids, and peer groups. */
function mounts(): Set<string> {
  const lines = text('/proc/self/mountinfo').trim().split('\n')
  return new Set(
    lines.map((line) => {
      const fields = line.split(' ')
      return [fields[4], fields[3], ...fields.slice(fields.indexOf('-') + 1)].join(' ')
    }),
  )
}

function cgroupDirectories(names: readonly string[]): string[] {
  const top = '/sys/fs/cgroup'
  const version2 = list(top).includes('cgroup.controllers')
  const hierarchies = version2 ? [top] : list(top).map((name) => join(top, name))
  return hierarchies.flatMap((hierarchy) => names.map((name) => join(hierarchy, name)))
}

function cgroups(names: readonly string[]): Set<string> {
  const found = new Set<string>()
  for (const directory of cgroupDirectories(names)) {
    for (const path of walk(directory, new Set())) if (list(path).includes('cgroup.procs')) found.add(path)
  }
  return found
}

interface Process {
  pid: number
  parent: number
  started: string
  state: string
}

function processOf(pid: number): Process | undefined {
  const stat = text(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, parent, started] = [fields[0], fields[1], fields[19]]
  if (state === undefined || parent === undefined || started === undefined) return undefined
  return { pid, parent: Number(parent), started, state }
}

function holds(pid: number, roots: readonly string[]): boolean {
  const links = [...list(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`)), link(`/proc/${pid}/cwd`)]
  return links.some((target) => roots.some((root) => target.startsWith(`${root}/`)))
}

function watchedProcesses(options: LeakOptions): Process[] {
  const all = list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processOf(Number(name)) ?? [])
  const parents = new Map(all.map(({ pid, parent }) => [pid, parent]))
  const isOurs = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at))
      if (at === process.pid) return true
    return false
  }
  const inCgroup = (pid: number) => {
    const lines = text(`/proc/${pid}/cgroup`).split('\n')
    return (options.cgroups ?? []).some((name) => lines.some((line) => `${line}/`.includes(`:/${name}/`)))
  }
  return all
    .filter(({ pid }) => pid !== process.pid)
    .filter(({ pid }) => isOurs(pid) || inCgroup(pid) || holds(pid, options.roots ?? []))
}

function describe({ pid, started, state }: Process): string {
  const command = text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() || text(`/proc/${pid}/comm`).trim()
  return `${pid} (started at ${started}, ${state === 'Z' ? 'zombie' : 'alive'}) ${command}`
}

function descriptors(): Set<string> {
  const found = new Set<string>()
  for (const fd of list('/proc/self/fd')) {
    const target = link(`/proc/self/fd/${fd}`)
    // The descriptor that lists this directory is gone by now, or was given to something else.
    if (target !== '' && !/^\/proc\/\d+\/fd$/.test(target)) found.add(`${fd} -> ${target}`)
  }
  return found
}

/** Network namespaces that a watched process is in or that are kept by a mount. */
function namespaces(processes: readonly Process[]): Set<string> {
  const kept = [...text('/proc/self/mountinfo').matchAll(/net:\[\d+\]/g)].map((match) => match[0])
  const used = processes.map(({ pid }) => link(`/proc/${pid}/ns/net`)).filter((name) => name !== '')
  const own = link('/proc/self/ns/net')
  return new Set([...kept, ...used].filter((name) => name !== own))
}

function tables(): Set<string> {
  try {
    const output = execFileSync('nft', ['list', 'tables'], { env: TOOL_ENV, encoding: 'utf8', stdio: 'pipe' })
    return new Set(output.trim().split('\n').filter(Boolean))
  } catch {
    return new Set()
  }
}

function snapshot(options: LeakOptions): Snapshot {
  const files = new Set<string>()
  for (const root of options.roots ?? []) walk(root, files)
  const processes = watchedProcesses(options)
  return {
    mount: mounts(),
    cgroup: cgroups(options.cgroups ?? []),
    process: new Set(processes.map(describe)),
    descriptor: descriptors(),
    'network namespace': namespaces(processes),
    'network link': new Set(list('/sys/class/net')),
    file: files,
    'nft table': tables(),
  }
}

/** Kinds of which something may also be missing afterwards, and is reported. */
const MUST_STAY = new Set(['mount', 'network link', 'nft table'])

function differences(before: Snapshot, after: Snapshot, { mayAppear }: LeakOptions): string[] {
  return Object.entries(after).flatMap(([kind, now]) => {
    const then = before[kind] ?? new Set()
    const appeared = [...now].filter((item) => !then.has(item) && !(kind === 'file' && mayAppear?.test(item)))
    const gone = MUST_STAY.has(kind) ? [...then].filter((item) => !now.has(item)) : []
    return [...appeared.map((item) => `+ ${kind}: ${item}`), ...gone.map((item) => `- ${kind}: ${item}`)]
  })
}

export interface LeakWatch extends AsyncDisposable {
  /** What is there now and was not before (`+`), or the other way round (`-`), one line each. */
  found(): Promise<string[]>
  /**
   * @throws {Error} When something is left; the message lists it.
   */
  check(): Promise<void>
}

/**
 * Takes the state before. Ways to use it: `await using _ = watchLeaks(...)` around a test, `t.teardown(watch.check)`,
 * or `t.strictSame(await watch.found(), [])`.
 */
export function watchLeaks(options: LeakOptions = {}): LeakWatch {
  const before = snapshot(options)
  const found = async () => {
    const end = performance.now() + (options.settleMs ?? 3000)
    // One look can take longer than all the time there is, and nothing that this process has to do is done meanwhile.
    for (let round = 0; ; round++) {
      const left = differences(before, snapshot(options), options)
      if (left.length === 0 || (performance.now() > end && round >= 10)) return left
      await sleep(50)
    }
  }
  const check = async () => {
    const left = await found()
    if (left.length > 0) throw new Error(`leaked:\n${left.map((line) => `  ${line}`).join('\n')}`)
  }
  return { found, check, [Symbol.asyncDispose]: check }
}
