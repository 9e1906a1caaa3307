/** The peers: what is installed here, and how each starts the benchmark's container. */
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { TOOL_ENV } from '../test/helpers/processes.js'
import { LIMITS, writeBundle } from './bundle.js'

export interface Peer {
  name: string
  version: string
  /** Words of the command that starts one container, waits for it and removes it. */
  command(round: number): string[]
  close(): void
}

export interface AbsentPeer {
  name: string
  reason: string
}

/** The benchmark's image at the peers. */
export const IMAGE = 'localhost/jubako-bench:latest'

export function run(words: readonly string[]): { ok: boolean; stdout: string; complaint: string } {
  const result = spawnSync(words[0] ?? '', words.slice(1), { encoding: 'utf8', env: TOOL_ENV, timeout: 120_000 })
  const complaint = (result.stderr || result.error?.message || '').trim()
  return {
    ok: result.status === 0,
    stdout: result.stdout ?? '',
    complaint: complaint.split('\n').at(-1)?.slice(0, 200) ?? '',
  }
}

function versionOf(name: string): string {
  return /\d+(\.\d+)+[^\s,]*/.exec(run([name, '--version']).stdout)?.[0] ?? 'unknown version'
}

const installed = (name: string) => run(['sh', '-c', `command -v ${name}`]).ok

/** A low-level runtime over a bundle; its root file system is the plain directory, without an overlay. */
function runtime(name: string, work: string, rootfs: string): Peer {
  const bundle = join(work, name)
  writeBundle(bundle, rootfs, `/jubako-bench-${name}`)
  const state = ['--root', join(work, `${name}-state`)]
  return {
    name: `${name} run`,
    version: versionOf(name),
    command: (round) => [name, ...state, 'run', '--bundle', bundle, `bench-${process.pid}-${round + 1000}`],
    close: () => {},
  }
}

function engine(name: string, archive: string): Peer {
  const { memory, memorySwap, cpus, cpuShares, pidsLimit } = LIMITS
  const limits = [`--memory=${memory}`, `--memory-swap=${memorySwap}`, `--cpus=${cpus}`]
  const more = [`--cpu-shares=${cpuShares}`, `--pids-limit=${pidsLimit}`]
  const loaded = run([name, 'load', '-q', '-i', archive])
  if (!loaded.ok) throw new Error(`${name} load: ${loaded.complaint}`)
  const reference = /Loaded image(?:\(s\))?: *(\S+)/.exec(loaded.stdout)?.[1]
  if (reference === undefined) throw new Error(`${name} load did not name the image`)
  run([name, 'tag', reference, IMAGE])
  return {
    name: `${name} run --rm --network none`,
    version: versionOf(name),
    command: () => [name, 'run', '--rm', '--network=none', ...limits, ...more, IMAGE, '/bin/true'],
    close: () => {
      run([name, 'rmi', IMAGE])
      run([name, 'rmi', reference])
    },
  }
}

/** Runs the peer's command once; a peer that cannot do it here is absent, with what it said. */
function tried(name: string, make: () => Peer): Peer | AbsentPeer {
  if (!installed(name)) return { name, reason: 'not installed' }
  try {
    const peer = make()
    const words = peer.command(-1000)
    const first = run(words)
    if (first.ok) return peer
    peer.close()
    return { name, reason: first.complaint }
  } catch (error) {
    return { name, reason: error instanceof Error ? error.message : String(error) }
  }
}

export const isPeer = (peer: Peer | AbsentPeer): peer is Peer => 'command' in peer
export const isAbsent = (peer: Peer | AbsentPeer): peer is AbsentPeer => !isPeer(peer)

/** crun and runc over a bundle. */
export function findRuntimes(work: string, rootfs: string): (Peer | AbsentPeer)[] {
  return ['crun', 'runc'].map((name) => tried(name, () => runtime(name, work, rootfs)))
}

/** podman and docker; the image is loaded from a docker archive. */
export function findEngines(archive: string): (Peer | AbsentPeer)[] {
  return ['podman', 'docker'].map((name) => tried(name, () => engine(name, archive)))
}

/** Kernel release, for the facts. */
export const kernelRelease = (): string => execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim()
