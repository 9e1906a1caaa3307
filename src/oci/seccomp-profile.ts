import { invalidArgument, JubakoError } from '../errors/index.js'
import {
  type Arch,
  type Comparison,
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

type Json = Record<string, unknown>

const malformed = (reason: string): JubakoError =>
  invalidArgument(`Decoding seccomp profile failed: ${reason}`, {
    hint: 'the profile is a JSON object as Docker documents it ("Seccomp security profiles for Docker")',
  })

/** Numbers above 2^53 lose digits as JSON; this mark before their text keeps them. */
const longNumber = '\u0000'

function parseJson(text: string): Json {
  const safe = text.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g, (token) =>
    token.startsWith('"') ? token : `"\\u0000${token}"`,
  )
  try {
    return object(JSON.parse(safe), 'profile')
  } catch (error) {
    if (error instanceof JubakoError) throw error
    throw malformed((error as Error).message)
  }
}

function object(value: unknown, name: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${name} must be an object`)
  return value as Json
}

/** A field by its name in any case, as Go's decoder finds it; null counts as missing. */
function field(from: Json, name: string): unknown {
  if (Object.hasOwn(from, name)) return from[name] ?? undefined
  const key = Object.keys(from).find((candidate) => candidate.toLowerCase() === name.toLowerCase())
  return key === undefined ? undefined : (from[key] ?? undefined)
}

function text(from: Json, name: string): string | undefined {
  const value = field(from, name)
  if (value === undefined || typeof value === 'string') return value
  throw malformed(`${name} must be a string`)
}

function array(from: Json, name: string): unknown[] {
  const value = field(from, name) ?? []
  if (!Array.isArray(value)) throw malformed(`${name} must be an array`)
  return value
}

const texts = (from: Json, name: string): string[] =>
  array(from, name).map((value) => {
    if (typeof value !== 'string') throw malformed(`${name} must be an array of strings`)
    return value
  })

/** An unsigned number of at most `bits`. */
function unsigned(from: Json, name: string, bits: number): bigint | undefined {
  const value = field(from, name)
  if (value === undefined) return undefined
  const digits = typeof value === 'string' && value.startsWith(longNumber) ? value.slice(1) : String(value)
  if (typeof value === 'string' && !value.startsWith(longNumber)) throw malformed(`${name} must be a number`)
  if (!/^[0-9]+$/.test(digits) || BigInt(digits) >= 1n << BigInt(bits))
    throw malformed(`${name} must be a whole number below 2^${bits}`)
  return BigInt(digits)
}

const notValid = (value: string, what: string): JubakoError =>
  invalidArgument(`string ${value} is not a valid ${what} for seccomp`)

const actions: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: seccompActions.killThread,
  SCMP_ACT_KILL_THREAD: seccompActions.killThread,
  SCMP_ACT_KILL_PROCESS: seccompActions.killProcess,
  SCMP_ACT_TRAP: seccompActions.trap,
  SCMP_ACT_ERRNO: seccompActions.errno,
  SCMP_ACT_TRACE: seccompActions.trace,
  SCMP_ACT_LOG: seccompActions.log,
  SCMP_ACT_ALLOW: seccompActions.allow,
}

/** Actions that carry a number: the errno, or what the tracer is told. EPERM unless given. */
const withData = new Set<number>([seccompActions.errno, seccompActions.trace])

function action(name: string, data: bigint | undefined): number {
  if (name === 'SCMP_ACT_NOTIFY')
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', 'the seccomp action SCMP_ACT_NOTIFY is not supported', {
      hint: 'it needs an agent that answers for the container; use SCMP_ACT_ERRNO or SCMP_ACT_LOG',
    })
  const value = Object.hasOwn(actions, name) ? actions[name]! : undefined
  if (value === undefined) throw notValid(name, 'action')
  return withData.has(value) ? (value | Number((data ?? BigInt(EPERM)) & 0xffffn)) >>> 0 : value
}

const operators: Readonly<Record<string, Comparison>> = {
  SCMP_CMP_NE: '!=',
  SCMP_CMP_LT: '<',
  SCMP_CMP_LE: '<=',
  SCMP_CMP_EQ: '==',
  SCMP_CMP_GE: '>=',
  SCMP_CMP_GT: '>',
  SCMP_CMP_MASKED_EQ: '&==',
}

function condition(value: unknown): SeccompCondition {
  const arg = object(value, 'args')
  const index = Number(unsigned(arg, 'index', 32) ?? 0n)
  if (index > 5) throw malformed(`args: index ${index} is above 5`)
  const name = text(arg, 'op') ?? ''
  const op = Object.hasOwn(operators, name) ? operators[name]! : undefined
  if (op === undefined) throw notValid(name, 'operator')
  const first = unsigned(arg, 'value', 64) ?? 0n
  const second = unsigned(arg, 'valueTwo', 64) ?? 0n
  // With a mask, `value` is the mask and `valueTwo` what is compared.
  return op === '&=='
    ? { index, op, value: second, mask: first, word: false }
    : { index, op, value: first, mask: 0n, word: false }
}

/** Every architecture libseccomp names; those without a table here are left out of the filter and so killed. */
const knownArchs: Readonly<Record<string, Arch | null>> = {
  SCMP_ARCH_X86: 'i386',
  SCMP_ARCH_X86_64: 'x86_64',
  SCMP_ARCH_X32: 'x32',
  SCMP_ARCH_AARCH64: 'aarch64',
  ...Object.fromEntries(
    'ARM LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X SH SHEB'
      .split(' ')
      .map((name) => [`SCMP_ARCH_${name}`, null]),
  ),
}

function arch(name: string): Arch | null {
  const known = Object.hasOwn(knownArchs, name) ? knownArchs[name] : undefined
  if (known === undefined) throw notValid(name, 'arch')
  return known
}

function architectures(profile: Json, native: Arch): Arch[] {
  const listed = texts(profile, 'architectures')
  const mapped = array(profile, 'archMap').map((entry) => object(entry, 'archMap'))
  if (listed.length > 0 && mapped.length > 0)
    throw invalidArgument(
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    )
  const names = listed
  for (const entry of mapped) {
    const main = text(entry, 'architecture') ?? ''
    if (arch(main) === native) names.push(main, ...texts(entry, 'subArchitectures'))
  }
  // The native one is always in, as libseccomp has it.
  const others = names.map(arch).filter((name): name is Arch => name !== null && name !== native && fits(name, native))
  return [native, ...new Set(others)]
}

/** Architectures whose programs run on the same machine. */
const fits = (name: Arch, native: Arch): boolean => native === 'x86_64' && (name === 'i386' || name === 'x32')

/** Whether a rule's `includes` and `excludes` let it count on this host. */
function applies(rule: Json, host: SeccompHost, goArch: string): boolean {
  const part = (name: 'includes' | 'excludes') => {
    const value = object(field(rule, name) ?? {}, name)
    const minimum = text(value, 'minKernel')
    if (minimum !== undefined && !/^[0-9]+\.[0-9]+(\.[0-9]+)?$/.test(minimum))
      throw malformed(`${name}: invalid kernel version ${minimum}`)
    return { archs: texts(value, 'arches'), caps: texts(value, 'caps'), minimum }
  }
  const excludes = part('excludes')
  if (excludes.archs.includes(goArch)) return false
  if (excludes.caps.some((name) => (host.capabilities as readonly string[]).includes(name))) return false
  if (excludes.minimum !== undefined && kernelAtLeast(host.kernelRelease, excludes.minimum)) return false
  const includes = part('includes')
  if (includes.archs.length > 0 && !includes.archs.includes(goArch)) return false
  if (!includes.caps.every((name) => (host.capabilities as readonly string[]).includes(name))) return false
  return includes.minimum === undefined || kernelAtLeast(host.kernelRelease, includes.minimum)
}

function rulesOf(value: unknown, host: SeccompHost, goArch: string): SeccompRule[] {
  const rule = object(value, 'syscalls')
  const name = text(rule, 'name')
  const names = texts(rule, 'names')
  if (name && names.length > 0)
    throw invalidArgument("both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'")
  const what = action(text(rule, 'action') ?? '', unsigned(rule, 'errnoRet', 32))
  const conditions = array(rule, 'args').map(condition)
  if (!applies(rule, host, goArch)) return []
  // What is no name of any system call says nothing.
  const about = (name ? [name] : names).filter((call) => /^\w+$/.test(call))
  const indexes = new Set(conditions.map(({ index }) => index))
  // Two conditions on one argument are alternatives, as runc reads them.
  if (indexes.size < conditions.length)
    return conditions.map((one) => ({ names: about, action: what, conditions: [one] }))
  return [{ names: about, action: what, conditions }]
}

const flags = new Set([
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
])

/**
 * Reads a profile in Docker's JSON format for one host.
 *
 * Names of system calls that no kernel has are ignored, as libseccomp does.
 *
 * @throws {@link JubakoError} ERR_JUBAKO_INVALID_ARGUMENT for a malformed profile, ERR_JUBAKO_UNSUPPORTED for
 *   SCMP_ACT_NOTIFY and an architecture without a table.
 */
export function parseSeccompProfile(json: string, host: SeccompHost): SeccompRules {
  const native = nativeArchs[host.arch]
  if (native === undefined)
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `seccomp is not supported on the architecture ${host.arch}`)
  const profile = parseJson(json)
  for (const flag of texts(profile, 'flags')) if (!flags.has(flag)) throw notValid(flag, 'flag')
  const defaultAction = action(text(profile, 'defaultAction') ?? '', unsigned(profile, 'defaultErrnoRet', 32))
  // A filter that lets unknown calls through lets new ones through too.
  const lax = [seccompActions.allow, seccompActions.log, seccompActions.trace].some(
    (value) => (defaultAction & 0xffff0000) >>> 0 === value,
  )
  return {
    archs: architectures(profile, native.arch),
    defaultAction,
    newerAction: lax ? defaultAction : failWith(ENOSYS),
    badArchAction: seccompActions.killProcess,
    x32Action: failWith(ENOSYS),
    rules: array(profile, 'syscalls').flatMap((rule) => rulesOf(rule, host, native.goArch)),
  }
}
