import type { Field, Step } from '../native/plan.js'
import type { Mount } from '../overlay/index.js'
import type { BindMount, ImageMount, VolumeMount } from './config.js'
import { Attr, Ms } from './flags.js'
import type { DeviceVolume } from './volume-options.js'

/** Where a mount's content is, as it is found when the container starts. */
export type MountSource =
  | { type: 'directory'; path: string; marker: string }
  | { type: 'device'; device: DeviceVolume }
  | { type: 'image'; root: Mount; scratch: string }
  /** A bind: `below` leads from `path` on through directories that containers write to. */
  | { type: 'bind'; path: string; below: string; create: boolean }

const propagations: Readonly<Record<string, number>> = {
  private: Ms.private,
  rprivate: Ms.private,
  shared: Ms.shared,
  rshared: Ms.shared,
  slave: Ms.slave,
  rslave: Ms.slave,
}

interface Looks {
  recursive: boolean
  attributes: number
  /** The attributes reach what is mounted below, too. */
  deep: boolean
  propagation: number
  ids?: { uids: string; gids: string } | undefined
}

const looks = ({ recursive, attributes, deep, propagation, ids }: Looks): Field[] => [
  recursive,
  attributes,
  deep,
  BigInt(propagation),
  ids?.uids ?? '',
  ids?.gids ?? '',
]

/** The step of a bind mount. */
export function bindMountStep(it: BindMount, source: Extract<MountSource, { type: 'bind' }>): Step {
  const look = looks({
    recursive: it.recursive,
    attributes: it.readonly ? Attr.readonly : 0,
    deep: it.recursiveReadonly ?? true,
    propagation: propagations[it.propagation] ?? Ms.private,
    ids: it.ids,
  })
  return ['mount-volume', source.path, source.below, source.create, it.target, ...look, false, '']
}

/** The step of a volume. */
export function volumeMountStep(it: VolumeMount, source: MountSource): Step {
  const readonly = it.readonly ? Attr.readonly : 0
  if (source.type === 'directory') {
    const look = looks({ recursive: false, attributes: readonly, deep: false, propagation: Ms.private, ids: it.ids })
    const copy = it.copy && it.subpath === ''
    return ['mount-volume', source.path, it.subpath, false, it.target, ...look, copy, copy ? source.marker : '']
  }
  const { device } = source as Extract<MountSource, { type: 'device' }>
  if (device.kind === 'bind') {
    const { recursive, propagation } = device
    const look = looks({ recursive, attributes: readonly | device.attributes, deep: true, propagation, ids: it.ids })
    const below = [device.below, it.subpath].filter((part) => part !== '').join('/')
    return ['mount-volume', device.source, below, false, it.target, ...look, false, '']
  }
  const attributes = readonly | device.attributes
  return ['mount-device', device.type, device.source, device.options, attributes, it.target, it.copy]
}

/** The step of an image that is mounted. */
export function imageMountStep(it: ImageMount, source: Extract<MountSource, { type: 'image' }>): Step {
  const { lowers, upper, work, options } = source.root
  const attributes = it.readonly ? Attr.readonly : 0
  return ['mount-image', lowers, upper ?? '', work ?? '', options, attributes, source.scratch, it.subpath, it.target]
}
