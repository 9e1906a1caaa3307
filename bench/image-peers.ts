/** The peers of pull and push: command lines with a store that can be made cold, and what their processes cost. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TOOL_ENV } from '../test/helpers/processes.js'
import { cli, removeStore } from './jubako.js'
import { type AbsentPeer, run } from './peers.js'
import type { Timer } from './programs.js'

/** Clock ticks of /proc/<pid>/stat, see sysconf(3), _SC_CLK_TCK. */
const TICK_MICROSECONDS = 10_000
const SAMPLE_EVERY = 20

export interface ImageTool {
  name: string
  /** Names of the daemons that work for it. */
  daemons: readonly string[]
  pull(reference: string): string[]
  /** Forgets the image with its layers. */
  forget(reference: string): void
  close(): void
}

export interface Cost {
  nanoseconds: number
  /** Microseconds, with the daemons. */
  cpu: number
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const processes = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

const pidsOf = (names: readonly string[]): number[] =>
  names.length === 0 ? [] : processes().filter((pid) => names.includes(read(`/proc/${pid}/comm`).trim()))

/** Fields after the command's name, which may have spaces; the first is the state, field 3 of proc_pid_stat(5). */
const statOf = (pid: number): string[] =>
  read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ')

function cpuOf(pids: readonly number[]): number {
  const ticks = pids.flatMap((pid) => statOf(pid).slice(11, 15).map(Number))
  return ticks.reduce((sum, value) => sum + (value || 0), 0) * TICK_MICROSECONDS
}

/** One command, with the CPU of its daemons. */
export async function costOf(timer: Timer, { daemons }: ImageTool, words: readonly string[]): Promise<Cost> {
  const pids = pidsOf(daemons)
  const before = cpuOf(pids)
  const { nanoseconds, cpu } = await timer.cost(words)
  return { nanoseconds, cpu: cpu + cpuOf(pids) - before }
}

function tree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const pid of processes()) {
    const parent = Number(statOf(pid)[1])
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const found = [root]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

const memoryOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + Number(/^Pss: *(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0), 0) * 1024

/** Most bytes (proportional set size) of a command's processes together, and of what its daemons grew by. */
export function peakOf({ daemons }: ImageTool, words: readonly string[]): Promise<number> {
  const pids = pidsOf(daemons)
  const idle = memoryOf(pids)
  return new Promise((settle, fail) => {
    const child = spawn(words[0]!, words.slice(1), { env: TOOL_ENV, stdio: 'ignore' })
    let most = 0
    const sample = () => {
      most = Math.max(most, memoryOf([...tree(child.pid!), ...pids]) - idle)
    }
    const timer = setInterval(sample, SAMPLE_EVERY)
    child.on('error', fail).on('close', (code) => {
      clearInterval(timer)
      if (code === 0) settle(most)
      else fail(new Error(`\`${words.join(' ')}\` ended with ${code}`))
    })
  })
}

/** jubako's command line over a store below `work`. */
export function ourTool(work: string): ImageTool {
  const store = join(work, 'jubako')
  return {
    name: 'jubako',
    daemons: [],
    pull: (reference) => cli(store, 'pull', '-q', reference),
    forget: () => removeStore(store),
    close: () => removeStore(store),
  }
}

function podman(work: string): ImageTool {
  const words = ['podman', '--root', join(work, 'podman'), '--runroot', join(work, 'podman-run')]
  const forget = () => void run([...words, 'rmi', '-af'])
  const pull = (reference: string) => [...words, 'pull', '-q', '--tls-verify=false', reference]
  return { name: 'podman', daemons: [], pull, forget, close: forget }
}

function docker(): ImageTool {
  const forget = (reference: string) => void run(['docker', 'rmi', '-f', reference])
  const pull = (reference: string) => ['docker', 'pull', '-q', reference]
  return { name: 'docker', daemons: ['dockerd', 'containerd'], pull, forget, close: () => {} }
}

function containerd(): ImageTool {
  const words = ['ctr', '-n', 'jubako-bench']
  const forget = (reference: string) => void run([...words, 'images', 'rm', '--sync', reference])
  const pull = (reference: string) => [...words, 'images', 'pull', '--plain-http', reference]
  const close = () => void run([...words, 'namespaces', 'rm', 'jubako-bench'])
  return { name: 'ctr', daemons: ['containerd'], pull, forget, close }
}

/** podman, docker and containerd's ctr; each has pulled `reference` once, or says why it cannot. */
export function findTools(work: string, reference: string): { tools: ImageTool[]; absent: AbsentPeer[] } {
  const tools: ImageTool[] = []
  const absent: AbsentPeer[] = []
  for (const tool of [podman(work), docker(), containerd()]) {
    const first = run(tool.pull(reference))
    if (first.ok) tools.push(tool)
    else absent.push({ name: tool.name, reason: first.complaint })
  }
  return { tools, absent }
}
