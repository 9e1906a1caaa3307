/** Other engines, each on a store of its own that goes with the test. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryDirectory } from './image-store.js'
import { tool } from './processes.js'

export interface Peer {
  /** Runs a command of it. */
  run(...words: string[]): Promise<string>
}

/** podman or buildah: plain copies of layers, no daemon, no mounts that could stay. */
export function peer(t: Test, program: 'podman' | 'buildah'): Peer {
  const base = temporaryDirectory(t)
  const places = ['--root', join(base, 'root'), '--runroot', join(base, 'run'), '--storage-driver', 'vfs']
  mkdirSync(join(base, 'tmp'))
  const common =
    program === 'podman'
      ? ['--cgroup-manager', 'cgroupfs', '--events-backend', 'none', '--tmpdir', join(base, 'tmp')]
      : []
  // crun refuses a host with both kinds of cgroups: in a mount namespace of its own it sees one.
  const alone = ['--mount', '--propagation', 'private', 'sh', '-c']
  const script = `umount -l /sys/fs/cgroup/unified 2>/dev/null; exec ${program} "$@"`
  const run = (...words: string[]) =>
    tool('unshare', [...alone, script, program, ...places, ...common, ...words], { cwd: base })
  t.teardown(() => run(...(program === 'podman' ? ['rm', '-af'] : ['rm', '-a'])).catch(() => undefined))
  return { run }
}
