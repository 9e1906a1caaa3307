import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { invalidArgument } from '../errors/index.js'
import { Attr, Ms } from './flags.js'

const known = new Set(['type', 'o', 'device', 'size'])

/**
 * Docker's options of the local driver: none, or a kernel mount with `type`, `device` and `o`.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT
 */
export function checkVolumeOptions(name: string, options: Readonly<Record<string, string>>): void {
  const keys = Object.keys(options)
  if (keys.length === 0) return
  for (const key of keys) {
    if (!known.has(key))
      throw invalidArgument(`create ${name}: invalid option: "${key}"`, { hint: 'known are type, device, o' })
  }
  if (options.size !== undefined) {
    throw invalidArgument(`create ${name}: quota size requested but no quota support`, {
      hint: 'for a tmpfs use -o o=size=100m',
    })
  }
  for (const key of ['device', 'type']) {
    if (!options[key]) throw invalidArgument(`create ${name}: missing required option: "${key}"`)
  }
}

/** How the kernel mounts a volume that is no directory. */
export type DeviceVolume =
  /** `below` leads from `source` on through directories that containers write to. */
  | { kind: 'bind'; source: string; below: string; recursive: boolean; attributes: number; propagation: number }
  | { kind: 'device'; type: string; source: string; options: string[]; attributes: number }

const attributes: Readonly<Record<string, number>> = {
  ro: Attr.readonly,
  nosuid: Attr.nosuid,
  nodev: Attr.nodev,
  noexec: Attr.noexec,
}
/** mount(8)'s words that the kernel has no name for, or that are the default. */
const ignored = new Set([
  'rw',
  'defaults',
  'suid',
  'dev',
  'exec',
  'auto',
  'noauto',
  'user',
  'nouser',
  'async',
  'relatime',
])
const propagations: Readonly<Record<string, number>> = {
  private: Ms.private,
  rprivate: Ms.private,
  shared: Ms.shared,
  rshared: Ms.shared,
  slave: Ms.slave,
  rslave: Ms.slave,
}

/** Decides the mount of a volume's options; undefined for an ordinary directory. A host in `addr=` is looked up. */
export async function deviceVolume(options: Readonly<Record<string, string>>): Promise<DeviceVolume | undefined> {
  const { type, device } = options
  if (type === undefined || device === undefined) return undefined
  const words = (options.o ?? '').split(',').filter((word) => word !== '')
  const bits = words.reduce((sum, word) => sum | (attributes[word] ?? 0), 0)
  if (type === 'none' || words.includes('bind') || words.includes('rbind')) {
    const propagation = words.map((word) => propagations[word]).find((it) => it !== undefined) ?? Ms.private
    const recursive = words.includes('rbind')
    return { kind: 'bind', source: device, below: '', recursive, attributes: bits, propagation }
  }
  const plain = words.filter((word) => !(word in attributes) && !ignored.has(word))
  return { kind: 'device', type, source: device, options: await Promise.all(plain.map(resolved)), attributes: bits }
}

/** The kernel's NFS client takes numbers only. */
async function resolved(option: string): Promise<string> {
  if (!option.startsWith('addr=')) return option
  const host = option.slice('addr='.length)
  if (isIP(host) !== 0) return option
  try {
    return `addr=${(await lookup(host)).address}`
  } catch (cause) {
    throw invalidArgument(`error resolving passed in network volume address: ${host}`, { cause })
  }
}
