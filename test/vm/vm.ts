import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { testCache } from '../helpers/cache.js'
import { CHECKOUT } from '../helpers/checkout.js'
import { spawnBound } from '../helpers/processes.js'
import { initramfs } from './initramfs.js'
import { findKernel } from './kernel.js'

export interface VmOptions {
  /** Guest memory. Default 3072. */
  memoryMiB?: number
  /** Default 600,000. */
  timeoutMs?: number
  /** Working directory of the command. Default: the checkout. */
  cwd?: string
  env?: Record<string, string>
  /** ext4 disk image that takes all writes and outlives the VM, see {@link makeDisk}. Default: a new one, deleted. */
  disk?: string
  /** Called with what the command prints, as it comes. */
  onOutput?: (text: string) => void
  /** As soon as the output matches, the VM loses power: what the guest has not flushed is gone. */
  powerCutAt?: RegExp
  /** Told as soon as the VM runs. */
  onStart?: (vm: RunningVm) => void
}

export interface RunningVm {
  /** Everything stands still: what is in the disk image now is what a power cut would leave. */
  freeze(): void
  thaw(): void
  /** The VM loses power. */
  cut(): void
}

export interface VmResult {
  /** The command's exit code; null when it did not end by itself. */
  exitCode: number | null
  ended: 'exit' | 'timeout' | 'power cut' | 'crash'
  /** Standard output and error of the command. */
  output: string
  /** The guest kernel's messages. */
  console: string
  /** Milliseconds from the start to the end of the VM. */
  ms: number
}

const VIRTIOFSD = ['/usr/lib/qemu/virtiofsd', '/usr/libexec/virtiofsd']
const SCRATCH_BYTES = 16 * 2 ** 30

/** Makes a sparse ext4 image. */
export function makeDisk(path: string, bytes = SCRATCH_BYTES): void {
  writeFileSync(path, '')
  truncateSync(path, bytes)
  execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=1,lazy_journal_init=1', path], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

function guestScript(command: string, { cwd = CHECKOUT, env = {} }: VmOptions): string {
  const path = [dirname(process.execPath), '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'].join(':')
  const variables = { PATH: path, HOME: '/root', TERM: 'dumb', LANG: 'C.UTF-8', TMPDIR: '/var/lib/vm/tmp', ...env }
  const words = Object.entries(variables).map(([name, value]) => quote(`${name}=${value}`))
  return `cd ${quote(cwd)} || exit 125\nexec env -i ${words.join(' ')} bash -c ${quote(command)}\n`
}

async function startVirtiofsd(socket: string): Promise<ChildProcessWithoutNullStreams> {
  const program = VIRTIOFSD.find((path) => existsSync(path))
  if (program === undefined) throw new Error(`no virtiofsd at ${VIRTIOFSD.join(' or ')} (Debian: qemu-system-common)`)
  const arguments_ = program.includes('libexec')
    ? [`--socket-path=${socket}`, '--shared-dir=/', '--sandbox=chroot', '--cache=always']
    : [`--socket-path=${socket}`, '-o', 'source=/', '-o', 'sandbox=chroot', '-o', 'cache=always']
  const child = spawnBound(program, arguments_)
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4096)
  })
  for (let waited = 0; waited < 10_000 && child.exitCode === null; waited += 20) {
    if (existsSync(socket)) return child
    await sleep(20)
  }
  child.kill('SIGKILL')
  throw new Error(`virtiofsd did not start: ${complaint.trim()}`)
}

function qemuArguments(work: string, kernel: string, disk: string, memoryMiB: number): string[] {
  return [
    ...['-machine', 'accel=tcg', '-cpu', 'max', '-smp', '2', '-m', `${memoryMiB}`],
    ...['-object', `memory-backend-memfd,id=memory,size=${memoryMiB}M,share=on`, '-numa', 'node,memdev=memory'],
    ...['-chardev', `socket,id=fs,path=${work}/fs.sock`, '-device', 'vhost-user-fs-pci,chardev=fs,tag=host'],
    ...['-drive', `file=${disk},format=raw,if=virtio,cache=writeback`],
    ...['-device', 'virtio-serial-pci'],
    ...['-chardev', 'stdio,id=output,signal=off', '-device', 'virtserialport,chardev=output,nr=1'],
    ...['-chardev', `file,id=code,path=${work}/code`, '-device', 'virtserialport,chardev=code,nr=2'],
    ...['-serial', `file:${work}/console`, '-display', 'none', '-monitor', 'none', '-no-reboot', '-nic', 'none'],
    ...['-kernel', kernel, '-initrd', `${work}/initramfs`, '-append', 'console=ttyS0 quiet panic=-1 oops=panic'],
  ]
}

function gather(stream: Readable, onText?: (text: string) => void): () => string {
  let all = ''
  stream.setEncoding('utf8').on('data', (text: string) => {
    all += text
    onText?.(text)
  })
  return () => all
}

/**
 * Boots a throw-away VM with Debian's stock kernel and cgroup v2 alone, runs a shell command over this machine's root
 * file system (read-only below, writes go to a disk image) and returns how it ended. `TMPDIR` of the command is on ext4.
 *
 * @throws {Error} When qemu, virtiofsd or a kernel is missing.
 */
export async function runInVm(command: string, options: VmOptions = {}): Promise<VmResult> {
  const started = performance.now()
  const kernel = findKernel(testCache())
  const work = mkdtempSync(join(tmpdir(), 'jubako-vm-'))
  let virtiofsd: ChildProcessWithoutNullStreams | undefined
  try {
    writeFileSync(join(work, 'initramfs'), initramfs(kernel, guestScript(command, options)))
    const disk = options.disk ?? join(work, 'disk')
    if (options.disk === undefined) makeDisk(disk)
    virtiofsd = await startVirtiofsd(join(work, 'fs.sock'))
    // Standard input stays open and silent: at its end of file qemu would unplug the port that carries the output.
    const qemu = spawnBound('qemu-system-x86_64', qemuArguments(work, kernel.image, disk, options.memoryMiB ?? 3072))
    let ended: VmResult['ended'] | undefined
    const end = (how: VmResult['ended']) => {
      ended ??= how
      qemu.kill('SIGKILL')
    }
    const complaint = gather(qemu.stderr)
    options.onStart?.({
      freeze: () => qemu.kill('SIGSTOP'),
      thaw: () => qemu.kill('SIGCONT'),
      cut: () => end('power cut'),
    })
    const output: () => string = gather(qemu.stdout, (text) => {
      options.onOutput?.(text)
      if (options.powerCutAt?.test(output())) end('power cut')
    })
    const timer = setTimeout(() => end('timeout'), options.timeoutMs ?? 600_000)
    await new Promise((settle, fail) => qemu.on('close', settle).on('error', fail))
    clearTimeout(timer)
    const read = (name: string) => (existsSync(join(work, name)) ? readFileSync(join(work, name), 'utf8') : '')
    const exitCode = ended === undefined && /^\d+\s*$/.test(read('code')) ? Number(read('code')) : null
    return {
      exitCode,
      ended: ended ?? (exitCode === null ? 'crash' : 'exit'),
      output: output(),
      console: read('console') + complaint(),
      ms: performance.now() - started,
    }
  } finally {
    virtiofsd?.kill('SIGKILL')
    rmSync(work, { recursive: true, force: true })
  }
}
