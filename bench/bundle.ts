/** The container that every runtime starts: the same namespaces, mounts, masks, capabilities, seccomp and limits. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import type { Capability } from '../src/oci/capabilities.js'
import { type Comparison, seccompActions } from '../src/oci/seccomp.js'
import { defaultSeccompRules } from '../src/oci/seccomp-default.js'

/** Limits of every subject; the oracle has the same numbers. */
export const LIMITS = { memory: 256 * 2 ** 20, memorySwap: 512 * 2 ** 20, cpus: 2, cpuShares: 512, pidsLimit: 512 }

const CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP'],
  ...['NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'],
].map((name) => `CAP_${name}` as Capability)

const ARCHITECTURES: Record<string, string> = {
  x86_64: 'SCMP_ARCH_X86_64',
  i386: 'SCMP_ARCH_X86',
  x32: 'SCMP_ARCH_X32',
  aarch64: 'SCMP_ARCH_AARCH64',
}

const OPERATORS: Record<Comparison, string> = {
  '!=': 'SCMP_CMP_NE',
  '<': 'SCMP_CMP_LT',
  '<=': 'SCMP_CMP_LE',
  '==': 'SCMP_CMP_EQ',
  '>=': 'SCMP_CMP_GE',
  '>': 'SCMP_CMP_GT',
  '&==': 'SCMP_CMP_MASKED_EQ',
}

/** The profile that jubako's containers have, as the OCI runtime specification writes it ("Seccomp"). */
function seccomp() {
  const host = { arch: process.arch, kernelRelease: release(), capabilities: CAPABILITIES }
  const { archs, defaultAction, rules } = defaultSeccompRules(host)
  const answer = (action: number) =>
    action === seccompActions.allow
      ? { action: 'SCMP_ACT_ALLOW' }
      : { action: 'SCMP_ACT_ERRNO', errnoRet: action & 0xffff }
  const { action, errnoRet } = answer(defaultAction)
  return {
    defaultAction: action,
    defaultErrnoRet: errnoRet,
    architectures: archs.map((arch) => ARCHITECTURES[arch]),
    syscalls: rules.map(({ names, action, conditions }) => ({
      names,
      ...answer(action),
      args: conditions.map(({ index, op, value, mask }) =>
        op === '&=='
          ? { index, value: Number(mask), valueTwo: Number(value), op: OPERATORS[op] }
          : { index, value: Number(value), op: OPERATORS[op] },
      ),
    })),
  }
}

const MASKED = ['acpi', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug', 'scsi']
const READONLY = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger']

interface BundleMount {
  destination: string
  type: string
  source: string
  options: string[]
}

function mount(type: string, destination: string, ...options: string[]): BundleMount {
  return { destination, type, source: type, options }
}

function configuration(rootfs: string, cgroupsPath: string) {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/bin/true'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'],
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      noNewPrivileges: false,
    },
    root: { path: rootfs, readonly: false },
    hostname: 'bench',
    mounts: [
      mount('proc', '/proc', 'nosuid', 'noexec', 'nodev'),
      mount('tmpfs', '/dev', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
      mount('devpts', '/dev/pts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
      mount('tmpfs', '/dev/shm', 'nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'),
      mount('mqueue', '/dev/mqueue', 'nosuid', 'noexec', 'nodev'),
      mount('sysfs', '/sys', 'nosuid', 'noexec', 'nodev', 'ro'),
    ],
    linux: {
      cgroupsPath,
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: LIMITS.memory, swap: LIMITS.memorySwap },
        cpu: { quota: LIMITS.cpus * 100_000, period: 100_000, shares: LIMITS.cpuShares },
        pids: { limit: LIMITS.pidsLimit },
      },
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      maskedPaths: [...MASKED.map((name) => `/proc/${name}`), '/sys/firmware', '/sys/devices/virtual/powercap'],
      readonlyPaths: READONLY.map((name) => `/proc/${name}`),
      seccomp: seccomp(),
    },
  }
}

/** Writes a runtime bundle over an existing root file system (absolute path). */
export function writeBundle(directory: string, rootfs: string, cgroupsPath: string): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'config.json'), JSON.stringify(configuration(rootfs, cgroupsPath)))
}
