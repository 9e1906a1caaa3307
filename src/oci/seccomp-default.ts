import { JubakoError } from '../errors/index.js'
import {
  ENOSYS,
  EPERM,
  failWith,
  kernelAtLeast,
  nativeArchs,
  type SeccompCondition,
  type SeccompHost,
  type SeccompRule,
  type SeccompRules,
  seccompActions,
} from './seccomp.js'
import { allowedCalls, archCalls, capabilityCalls, tracingCalls } from './seccomp-calls.js'

const { allow } = seccompActions

const condition = (
  index: number,
  op: SeccompCondition['op'],
  value: number,
  rest: Partial<SeccompCondition> = {},
): SeccompCondition => ({ index, op, value: BigInt(value), mask: 0n, word: false, ...rest })

// Linux's numbers of address families (socket(2)).
const AF_ALG = 38
const AF_VSOCK = 40

/** Personalities (personality(2)) that change no protection: PER_LINUX, PER_LINUX32, UNAME26 of both, and "ask". */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff]

/** CLONE_NEW* of clone(2) but for CLONE_NEWTIME, which shares its bit with the exit signal. */
const namespaceFlags = 0x7e020000n

const allowWith = (name: string, ...conditions: SeccompCondition[]): SeccompRule => ({
  names: [name],
  action: allow,
  conditions,
})

/** Calls that are allowed by their arguments. */
const filtered: readonly SeccompRule[] = [
  // Every address family but AF_ALG (page cache writes, CVE-2026-31431) and AF_VSOCK (out of the virtual machine).
  allowWith('socket', condition(0, '<', AF_ALG, { word: true })),
  allowWith('socket', condition(0, '==', AF_ALG + 1, { word: true })),
  allowWith('socket', condition(0, '>', AF_VSOCK, { word: true })),
  ...personalities.map((value) => allowWith('personality', condition(0, '==', value))),
]

/** Without CAP_SYS_ADMIN: no new namespaces. */
const withoutSysAdmin: readonly SeccompRule[] = [
  allowWith('clone', condition(0, '&==', 0, { mask: namespaceFlags })),
  // The flags are behind a pointer, where no filter can look: programs fall back to clone.
  { names: ['clone3'], action: failWith(ENOSYS), conditions: [] },
]

/**
 * The built-in profile: Docker's default, never wider.
 *
 * Two differences, both narrower or the same refusal with another errno: x32 calls are not allowed, and fail as on a kernel
 * without x32 (Docker allows them); io_uring fails with ENOSYS, from which programs fall back, not EPERM.
 *
 * @throws {@link JubakoError} ERR_JUBAKO_UNSUPPORTED on an architecture there is no table for.
 */
export function defaultSeccompRules(host: SeccompHost): SeccompRules {
  const native = nativeArchs[host.arch]
  if (native === undefined)
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `no seccomp profile for the architecture ${host.arch}`, {
      hint: 'use --security-opt seccomp=unconfined',
    })
  const has = new Set<string>(host.capabilities)
  const names = [...allowedCalls, ...(archCalls[native.goArch] ?? [])]
  if (kernelAtLeast(host.kernelRelease, '4.8')) names.push(...tracingCalls)
  for (const [capability, calls] of capabilityCalls) if (has.has(capability)) names.push(...calls)
  return {
    archs: [native.arch, ...native.subArchs],
    defaultAction: failWith(EPERM),
    newerAction: failWith(ENOSYS),
    badArchAction: seccompActions.killProcess,
    x32Action: failWith(ENOSYS),
    rules: [
      { names, action: allow, conditions: [] },
      ...filtered,
      ...(has.has('CAP_SYS_ADMIN') ? [] : withoutSysAdmin),
      { names: ['io_uring_enter', 'io_uring_register', 'io_uring_setup'], action: failWith(ENOSYS), conditions: [] },
    ],
  }
}
