import { invalidArgument } from '../errors/index.js'

/**
 * One rule of the device cgroup, in the words of the OCI runtime specification ("Allowed Device list",
 * `linux.resources.devices`). Rules apply in order; a later rule overrides an earlier one.
 */
export interface DeviceRule {
  /** `a`: block and character devices alike. */
  type: 'a' | 'b' | 'c'
  /** null matches every major number. */
  major: number | null
  /** null matches every minor number. */
  minor: number | null
  /** Subset of `rwm` (read, write, mknod), not empty. */
  access: string
  allow: boolean
}

/** A device node the engine makes in the container's `/dev`. */
export interface DeviceNode {
  /** Absolute path in the container. */
  path: string
  type: 'b' | 'c'
  major: number
  minor: number
  /** Permission bits. */
  mode: number
}

/** The nodes every container gets (OCI runtime specification, "Default Devices"; `ptmx` and `console` are mounts and links). */
export const defaultDeviceNodes: readonly DeviceNode[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3, mode: 0o666 },
  { path: '/dev/zero', type: 'c', major: 1, minor: 5, mode: 0o666 },
  { path: '/dev/full', type: 'c', major: 1, minor: 7, mode: 0o666 },
  { path: '/dev/random', type: 'c', major: 1, minor: 8, mode: 0o666 },
  { path: '/dev/urandom', type: 'c', major: 1, minor: 9, mode: 0o666 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0, mode: 0o666 },
]

const deny = (type: DeviceRule['type'], major: number | null, minor: number | null, access = 'rwm'): DeviceRule => ({
  type,
  major,
  minor,
  access,
  allow: false,
})
const allow = (type: DeviceRule['type'], major: number | null, minor: number | null, access = 'rwm'): DeviceRule => ({
  type,
  major,
  minor,
  access,
  allow: true,
})

/** Everything denied: the rule every list begins with. */
export const denyAllDevices: DeviceRule = deny('a', null, null)

/** Everything allowed: what `--privileged` gets. */
export const allowAllDevices: DeviceRule = allow('a', null, null)

/**
 * The device rules of a Docker container: every node may be made (`m`) but only these opened. The union of Docker's own
 * list and the one its runtime adds.
 */
export const defaultDeviceRules: readonly DeviceRule[] = [
  denyAllDevices,
  allow('c', null, null, 'm'),
  allow('b', null, null, 'm'),
  allow('c', 1, 3), // null
  allow('c', 1, 5), // zero
  allow('c', 1, 7), // full
  allow('c', 1, 8), // random
  allow('c', 1, 9), // urandom
  allow('c', 5, 0), // tty
  allow('c', 5, 2), // ptmx
  allow('c', 136, null), // pts
  allow('c', 10, 200), // net/tun
]

/** True for a rule that hides every earlier one. */
export const matchesEverything = (rule: DeviceRule): boolean =>
  rule.type === 'a' && rule.major === null && rule.minor === null && rule.access.length === 3

/** True when the rules restrict nothing, so that none need to be set. */
export function allowsEverything(rules: readonly DeviceRule[]): boolean {
  const last = rules.at(-1)
  return last !== undefined && matchesEverything(last) && last.allow
}

const ruleForm = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/

const number = (text: string): number | null => (text === '*' ? null : Number(text))

/**
 * Parses a rule of `--device-cgroup-rule`, for example `c 13:* rmw`.
 *
 * @throws {@link JubakoError} ERR_JUBAKO_INVALID_ARGUMENT with Docker's message.
 */
export function parseDeviceCgroupRule(text: string): DeviceRule {
  const match = ruleForm.exec(text)
  if (match === null) {
    throw invalidArgument(`invalid device cgroup format '${text}'`, {
      hint: "the form is 'TYPE MAJOR:MINOR ACCESS', for example 'c 13:* rwm'; TYPE is a, b or c, * matches every number",
    })
  }
  const [, type, major, minor, access] = match as unknown as [string, DeviceRule['type'], string, string, string]
  return { type, major: number(major), minor: number(minor), access, allow: true }
}
