import { type Capability, capabilityMask } from './capabilities.js'

/** The architectures a filter can be made for; the index is the number in the encoded rules. */
export const archs = ['x86_64', 'i386', 'x32', 'aarch64'] as const
export type Arch = (typeof archs)[number]

/** How an argument is compared, in the order of the encoded numbers. */
export const comparisons = ['!=', '<', '<=', '==', '>=', '>', '&=='] as const
export type Comparison = (typeof comparisons)[number]

/** A condition on one argument of a system call. */
export interface SeccompCondition {
  /** 0 to 5. */
  index: number
  /** `&==`: `(argument & mask) == value`. */
  op: Comparison
  value: bigint
  mask: bigint
  /** Compare the low 32 bits only: the kernel takes an `int` and ignores the rest, and so must the filter. */
  word: boolean
}

/** What a filter answers to some calls. Of all rules that match, the strictest decides. */
export interface SeccompRule {
  names: readonly string[]
  /** Return value of the filter: an {@link seccompActions} value with its data in the low 16 bits. */
  action: number
  /** All must hold. */
  conditions: readonly SeccompCondition[]
}

/** A filter, decided: nothing in it depends on capabilities or the kernel any more. */
export interface SeccompRules {
  /** The native one first. */
  archs: readonly Arch[]
  defaultAction: number
  /** For calls newer than every one that a rule names: programs can fall back from ENOSYS, seldom from EPERM. */
  newerAction: number
  /** For calls of an architecture that is not in `archs`. */
  badArchAction: number
  /** For x32 calls when x32 is not in `archs`. */
  x32Action: number
  rules: readonly SeccompRule[]
}

/** linux/seccomp.h, SECCOMP_RET_*. */
export const seccompActions = {
  killProcess: 0x80000000,
  killThread: 0,
  trap: 0x00030000,
  errno: 0x00050000,
  trace: 0x7ff00000,
  log: 0x7ffc0000,
  allow: 0x7fff0000,
} as const

export const EPERM = 1
export const ENOSYS = 38

/** Makes the calls fail with an errno. */
export const failWith = (errno: number): number => (seccompActions.errno | errno) >>> 0

/** The kernel's and process's side of what a profile depends on. */
export interface SeccompHost {
  /** As Node names it: `x64` or `arm64`. */
  arch: string
  /** For example `6.1.0-56-amd64`. */
  kernelRelease: string
  /** The container's bounding set, `CAP_...`. */
  capabilities: readonly Capability[]
}

/** What profiles call Node's architectures (Go's names), and the filter's native one. */
export const nativeArchs: Readonly<Record<string, { arch: Arch; goArch: string; subArchs: readonly Arch[] }>> = {
  x64: { arch: 'x86_64', goArch: 'amd64', subArchs: ['i386'] },
  arm64: { arch: 'aarch64', goArch: 'arm64', subArchs: [] },
}

/** Changes whenever a program made from the same input does, so that a stored program is never used for another. */
export const seccompProgramVersion = 1

/**
 * A name (letters, digits, `.`, `-`, `_`) for the program of a profile on a host, to store it under: whoever finds it need not
 * load the profile's tables, nor the assembler.
 *
 * @param profileDigest hexadecimal sha256 of the profile's JSON text; null: the built-in profile.
 */
export function seccompCacheKey(host: SeccompHost, profileDigest: string | null): string {
  const [major, minor] = release(host.kernelRelease)
  const mask = capabilityMask(host.capabilities).toString(16)
  return `seccomp${seccompProgramVersion}-${profileDigest ?? 'default'}-${host.arch}-${major}.${minor}-${mask}`
}

function release(text: string): [major: number, minor: number] {
  const match = /^([0-9]+)\.([0-9]+)/.exec(text)
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)]
}

/** True when a kernel is at least `major.minor`. */
export function kernelAtLeast(kernelRelease: string, minimum: string): boolean {
  const [major, minor] = release(kernelRelease)
  const [wantedMajor, wantedMinor] = release(minimum)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}
