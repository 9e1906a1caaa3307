import { invalidArgument, JubakoError } from '../errors/index.js'

/** Capability names without `CAP_`, in the order of their numbers (capabilities(7), linux/capability.h). */
export const capabilityNames = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const

/** A capability as Docker writes it in `inspect`: `CAP_NET_RAW`. */
export type Capability = `CAP_${(typeof capabilityNames)[number]}`

const numbers: ReadonlyMap<string, number> = new Map(capabilityNames.map((name, number) => [`CAP_${name}`, number]))

/** What a container has unless told otherwise: Docker's 14. */
export const defaultCapabilities: readonly Capability[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

/** The bit mask of some capabilities, as capset(2) and `/proc/<pid>/status` have it. */
export function capabilityMask(capabilities: Iterable<Capability>): bigint {
  let mask = 0n
  for (const name of capabilities) mask |= 1n << BigInt(numbers.get(name)!)
  return mask
}

/** The names of a mask's bits in the order of their numbers; bits without a name are left out. */
export function capabilitiesOfMask(mask: bigint): Capability[] {
  return capabilityNames.filter((_, number) => (mask >> BigInt(number)) & 1n).map((name): Capability => `CAP_${name}`)
}

/** The bounding set in the text of `/proc/<pid>/status`. */
export function boundingSet(status: string): bigint {
  const hex = /^CapBnd:\s*([0-9a-fA-F]+)$/m.exec(status)?.[1]
  return hex === undefined ? 0n : BigInt(`0x${hex}`)
}

/** Whether the list takes or drops every capability. */
const all = 'ALL'

/**
 * Brings names into the form `CAP_NET_RAW` (or `ALL`): any case, with or without `CAP_`.
 *
 * @param option Docker's name of the list, for the message: `CapAdd` or `CapDrop`.
 * @throws {@link JubakoError} ERR_JUBAKO_INVALID_ARGUMENT for an unknown name, in Docker's words.
 */
export function normaliseCapabilities(
  names: readonly string[],
  option: 'CapAdd' | 'CapDrop',
): (Capability | typeof all)[] {
  return names.map((given) => {
    const upper = given.toUpperCase()
    if (upper === all) return all
    const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
    if (!numbers.has(name)) throw invalidArgument(`invalid ${option}: unknown capability: "${name}"`)
    return name as Capability
  })
}

export interface CapabilityRequest {
  capAdd?: readonly string[] | undefined
  capDrop?: readonly string[] | undefined
  privileged?: boolean | undefined
  /** What this process can give at most: its bounding set. */
  bounding: bigint
}

/**
 * The bounding, permitted and effective set of a container's process, in the order of the numbers. Inheritable and ambient
 * stay empty (CVE-2022-24769).
 *
 * As Docker has it: `--privileged` is everything; `--cap-add ALL` everything but the dropped; `--cap-drop ALL` nothing but
 * the added; else the default without the dropped and with the added. "Everything" is what this process can give.
 *
 * @throws {@link JubakoError} ERR_JUBAKO_INVALID_ARGUMENT for an unknown name, ERR_JUBAKO_UNSUPPORTED for one asked for by name
 *   that this process cannot give.
 */
export function resolveCapabilities(request: CapabilityRequest): Capability[] {
  const add = normaliseCapabilities(request.capAdd ?? [], 'CapAdd')
  const drop = new Set(normaliseCapabilities(request.capDrop ?? [], 'CapDrop'))
  if (request.privileged) return capabilitiesOfMask(request.bounding)
  const wanted = new Set(base(add.includes(all), drop))
  for (const name of add) {
    if (name === all || (add.includes(all) && drop.has(name))) continue
    if (!((request.bounding >> BigInt(numbers.get(name)!)) & 1n)) throw cannotGive(name)
    wanted.add(name)
  }
  return capabilitiesOfMask(capabilityMask(wanted) & request.bounding)
}

function base(everything: boolean, drop: ReadonlySet<string>): Capability[] {
  if (!everything && drop.has(all)) return []
  const names = everything ? capabilityNames.map((name): Capability => `CAP_${name}`) : defaultCapabilities
  return names.filter((name) => !drop.has(name))
}

const cannotGive = (name: Capability): JubakoError =>
  new JubakoError(
    'ERR_JUBAKO_UNSUPPORTED',
    `${name} is not in this process's bounding set: it cannot be given to a container`,
    {
      hint: `leave out --cap-add ${name.slice(4)}, or start this process with ${name} (the machine, its service manager or its container took it away)`,
    },
  )
