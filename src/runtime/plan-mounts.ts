import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import type { CgroupPlan } from '../cgroups/index.js'
import { invalidArgument } from '../errors/index.js'
import type { Step } from '../native/plan.js'
import { type DeviceNode, type DeviceRule, defaultDeviceNodes } from '../oci/devices.js'
import { maskedPaths, readonlyPaths, thermalThrottlePath } from '../oci/paths.js'
import type { Mount } from '../overlay/index.js'
import type { ContainerConfig, ContainerMount, TmpfsMount } from './config.js'
import { Attr, Ms } from './flags.js'
import type { ContainerPaths } from './paths.js'
import { bindMountStep, imageMountStep, type MountSource, volumeMountStep } from './plan-volumes.js'

const guarded = Attr.nosuid | Attr.noexec | Attr.nodev
const plain = true
const mount = (
  type: string,
  source: string,
  target: string,
  attributes: number,
  options: readonly string[],
  strict = false,
): Step => ['mount', type, source, target, attributes, options, strict]

const bind = (
  source: string,
  target: string,
  options: { recursive?: boolean; attributes?: number; propagation?: number } = {},
): Step => [
  'bind',
  source,
  target,
  options.recursive ?? true,
  options.attributes ?? 0,
  true,
  BigInt(options.propagation ?? Ms.private),
]

/** The root: the overlay, attached where the process's own mount namespace is then turned inside out. */
export function rootSteps(root: Mount, config: ContainerConfig, scratch: string): Step[] {
  const shared = config.mounts.some((m) => m.type === 'bind' && /shared|slave/.test(m.propagation))
  return [
    ['root-propagation', BigInt(Ms.rec | (shared ? Ms.slave : Ms.private))],
    ['root-overlay', ...overlayFields(root, scratch)],
    ['root-attach', scratch],
  ]
}

export const overlayFields = (root: Mount, scratch: string) =>
  [root.lowers, root.upper ?? '', root.work ?? '', root.options, 0, scratch] as const

/** /proc, /dev and what else every container has (OCI runtime specification, "Default Filesystems"). */
export function systemMountSteps(config: ContainerConfig): Step[] {
  const sysReadonly = config.privileged ? 0 : Attr.readonly
  const steps: Step[] = [
    mount('proc', 'proc', '/proc', guarded, [], plain),
    mount('tmpfs', 'tmpfs', '/dev', Attr.nosuid | Attr.strictatime, ['mode=755', 'size=65536k'], plain),
    mount('devpts', 'devpts', '/dev/pts', Attr.nosuid | Attr.noexec, [
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      'gid=5',
    ]),
  ]
  steps.push(mount('sysfs', 'sysfs', '/sys', guarded | sysReadonly, [], plain))
  if (config.ipc === 'host') {
    steps.push(bind('/dev/shm', '/dev/shm'))
    if (existsSync('/dev/mqueue')) steps.push(bind('/dev/mqueue', '/dev/mqueue'))
  } else {
    steps.push(
      mount('mqueue', 'mqueue', '/dev/mqueue', guarded, []),
      mount('tmpfs', 'shm', '/dev/shm', guarded, ['mode=1777', `size=${config.shmSize}`]),
    )
  }
  return steps
}

/** /sys/fs/cgroup: read-only, and nothing above the container's own. */
export function cgroupMountSteps(config: ContainerConfig, cgroup: CgroupPlan): Step[] {
  const target = '/sys/fs/cgroup'
  if (config.mounts.some((it) => it.target === target)) return []
  const attributes = guarded | (config.privileged ? 0 : Attr.readonly)
  if (cgroup.version === 2) {
    if (config.cgroupns === 'private') return [mount('cgroup2', 'cgroup', target, attributes, [])]
    return [bind('/sys/fs/cgroup', target, { attributes })]
  }
  const steps: Step[] = [mount('tmpfs', 'tmpfs', target, guarded | Attr.relatime, ['mode=755', 'size=64k'])]
  const seen = new Set<string>()
  for (const directory of cgroup.directories) {
    const controller = controllerOf(directory, cgroup.path)
    if (controller === null || seen.has(controller)) continue
    seen.add(controller)
    steps.push(bind(directory, `${target}/${controller}`, { attributes }))
  }
  if (!config.privileged) steps.push(['mount-readonly', target])
  return steps
}

/** `memory` of `/sys/fs/cgroup/memory/jubako/<id>`. */
function controllerOf(directory: string, path: string): string | null {
  if (!directory.endsWith(path)) return null
  const mountPoint = directory.slice(0, -path.length)
  return mountPoint.slice(mountPoint.lastIndexOf('/') + 1)
}

const nodeMode = { b: 0o060000, c: 0o020000 } as const

export const deviceStep = (node: DeviceNode, uid = 0, gid = 0): Step => [
  'device-node',
  node.path,
  nodeMode[node.type] | node.mode,
  node.major,
  node.minor,
  uid,
  gid,
]

/** Nodes and links below /dev. */
export function deviceSteps(config: ContainerConfig, extra: readonly HostDevice[]): Step[] {
  const steps: Step[] = defaultDeviceNodes.map((node) => deviceStep(node))
  for (const { node, uid, gid } of extra) steps.push(deviceStep(node, uid, gid))
  const links: [string, string][] = [
    ['pts/ptmx', '/dev/ptmx'],
    ['/proc/self/fd', '/dev/fd'],
    ['/proc/self/fd/0', '/dev/stdin'],
    ['/proc/self/fd/1', '/dev/stdout'],
    ['/proc/self/fd/2', '/dev/stderr'],
  ]
  if (existsSync('/proc/kcore')) links.push(['/proc/kcore', '/dev/core'])
  for (const [to, path] of links) steps.push(['symlink-in', to, path])
  if (config.tty) steps.push(['console', ''])
  return steps
}

/** A device of the host that the container gets. */
export interface HostDevice {
  node: DeviceNode
  uid: number
  gid: number
  rule: DeviceRule
}

/** Looks the `--device` list (or, privileged, every node below /dev) up on the host. */
export function hostDevices(config: ContainerConfig): HostDevice[] {
  const devices = config.devices.flatMap(({ hostPath, containerPath, permissions }) =>
    nodesBelow(hostPath, containerPath, permissions, true),
  )
  if (!config.privileged) return devices
  const own = new Set([...defaultDeviceNodes.map(({ path }) => path), '/dev/ptmx', '/dev/console'])
  const skip = /^\/dev\/(pts|shm|mqueue|fd)(\/|$)/
  const all = nodesBelow('/dev', '/dev', 'rwm', false).filter(
    ({ node }) => !own.has(node.path) && !skip.test(node.path),
  )
  return [...all, ...devices]
}

function nodesBelow(hostPath: string, containerPath: string, permissions: string, required: boolean): HostDevice[] {
  let info: ReturnType<typeof statSync>
  try {
    info = required ? statSync(hostPath) : lstatSync(hostPath)
  } catch (cause) {
    if (!required) return []
    throw invalidArgument(
      `error gathering device information while adding custom device "${hostPath}": no such device`,
      {
        hint: 'name a device node of this host, for example --device /dev/fuse',
        cause,
      },
    )
  }
  if (info!.isDirectory()) {
    if (/^\/dev\/(pts|shm|mqueue|fd)$/.test(hostPath)) return []
    return readdirSync(hostPath).flatMap((name) =>
      nodesBelow(`${hostPath}/${name}`, `${containerPath}/${name}`, permissions, false),
    )
  }
  if (!info!.isBlockDevice() && !info!.isCharacterDevice()) {
    if (!required) return []
    throw invalidArgument(
      `error gathering device information while adding custom device "${hostPath}": not a device node`,
      {
        hint: 'use --mount type=bind for files',
      },
    )
  }
  const type = info!.isBlockDevice() ? 'b' : 'c'
  const rdev = BigInt(info!.rdev)
  const major = Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n))
  const minor = Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n))
  return [
    {
      node: { path: containerPath, type, major, minor, mode: info!.mode & 0o777 },
      uid: info!.uid,
      gid: info!.gid,
      rule: { type, major, minor, access: permissions, allow: true },
    },
  ]
}

const tmpfsFlag: Readonly<Record<string, number>> = {
  ro: Attr.readonly,
  nosuid: Attr.nosuid,
  nodev: Attr.nodev,
  noexec: Attr.noexec,
}

/** /etc/hosts, /etc/hostname and /etc/resolv.conf, which the engine keeps, and what the user mounts, parents first. */
const managedFiles = {
  '/etc/resolv.conf': 'resolvConf',
  '/etc/hostname': 'hostname',
  '/etc/hosts': 'hosts',
} as const satisfies Record<string, keyof ContainerPaths>

export function fileMountSteps(
  config: ContainerConfig,
  paths: ContainerPaths,
  sources: ReadonlyMap<string, MountSource>,
): Step[] {
  const own = new Set(config.mounts.map(({ target }) => target))
  const all: { target: string; step: Step }[] = [
    ...Object.entries(managedFiles)
      .filter(([target]) => !own.has(target))
      .map(([target, source]) => ({ target, step: bind(paths[source], target) })),
    ...config.mounts.map((it) => ({ target: it.target, step: userMountStep(it, sources.get(it.target)) })),
  ]
  return parentsFirst(all)
}

/** Directories and files that every container mounts on; not what lies where the user mounts something. */
export function mountTargets(mounts: readonly { target: string }[]): [directories: string[], files: string[]] {
  const files = Object.keys(managedFiles)
  const hidden = mounts.some(({ target }) => target === '/etc' || target.startsWith('/etc/'))
  return [['/proc', '/sys', '/dev'], hidden ? [] : files]
}

/** What the user mounts, without content that is copied into new volumes. */
export function userMountSteps(mounts: readonly ContainerMount[], sources: ReadonlyMap<string, MountSource>): Step[] {
  return parentsFirst(
    mounts.map((it) => ({
      target: it.target,
      step: userMountStep(it.type === 'volume' ? { ...it, copy: false } : it, sources.get(it.target)),
    })),
  )
}

function parentsFirst(all: { target: string; step: Step }[]): Step[] {
  const depth = ({ target }: { target: string }) => target.split('/').filter((part) => part !== '').length
  return all.sort((a, b) => depth(a) - depth(b)).map(({ step }) => step)
}

function userMountStep(it: ContainerMount, source: MountSource | undefined): Step {
  if (it.type === 'tmpfs') return tmpfsStep(it)
  if (source === undefined) throw new TypeError(`no source of the mount on ${it.target}`)
  if (it.type === 'volume') return volumeMountStep(it, source)
  if (it.type === 'image' && source.type === 'image') return imageMountStep(it, source)
  if (it.type === 'bind' && source.type === 'bind') return bindMountStep(it, source)
  throw new TypeError(`no source of the mount on ${it.target}`)
}

function tmpfsStep(it: TmpfsMount): Step {
  let attributes = it.readonly ? Attr.readonly : 0
  for (const flag of it.flags) attributes |= tmpfsFlag[flag] ?? 0
  return mount('tmpfs', 'tmpfs', it.target, attributes, it.options)
}

let throttled: string[] | undefined

/** Masked and read-only paths; none for privileged containers or `systempaths=unconfined`. */
export function protectionSteps(config: ContainerConfig): Step[] {
  if (config.privileged || config.systemPathsUnconfined) return []
  throttled ??= readdirSync('/sys/devices/system/cpu')
    .flatMap((name) => /^cpu(\d+)$/.exec(name)?.[1] ?? [])
    .map((cpu) => thermalThrottlePath(Number(cpu)))
    .filter((path) => existsSync(path))
  return [
    ...[...maskedPaths, ...throttled].map((path): Step => ['mask', path]),
    ...readonlyPaths.map((path): Step => ['readonly-path', path]),
  ]
}
