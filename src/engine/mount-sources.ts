import { mkdirSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import { overlay } from '../overlay/index.js'
import {
  type ContainerConfig,
  type ContainerMount,
  deviceVolume,
  type ImageMount,
  type MountSource,
} from '../runtime/index.js'
import type { EngineContext } from './context.js'

/** What a container's mounts stand for at this moment, by target. Makes the directories that `-v` makes. */
export async function mountSources(context: EngineContext, config: ContainerConfig): Promise<Map<string, MountSource>> {
  const sources = new Map<string, MountSource>()
  let shared: string[] | undefined
  for (const [index, mount] of config.mounts.entries()) {
    if (mount.type === 'bind') {
      shared ??= sharedDirectories(context, config)
      const way = wayTo(mount.source, shared)
      const create = mount.createSource && way.below !== ''
      if (mount.createSource && !create) createDirectory(mount.source)
      sources.set(mount.target, { type: 'bind', ...way, create })
    } else if (mount.type === 'volume') {
      const device = await deviceVolume(context.volumes.get(mount.name).options)
      const directory = {
        type: 'directory',
        path: context.volumes.mountpoint(mount.name),
        marker: context.volumes.marker(mount.name),
      } as const
      if (device?.kind === 'bind') {
        shared ??= sharedDirectories(context, config)
        const { path, below } = wayTo(device.source, shared)
        sources.set(mount.target, { type: 'device', device: { ...device, source: path, below } })
      } else sources.set(mount.target, device === undefined ? directory : { type: 'device', device })
    } else if (mount.type === 'image') {
      sources.set(mount.target, imageSource(context, config, mount, index))
    }
  }
  return sources
}

/** Directories that other containers can write to: a path below one of them may change at any moment. */
function sharedDirectories(context: EngineContext, config: ContainerConfig): string[] {
  const directories = context.store
    .all()
    .filter(({ id }) => id !== config.id)
    .flatMap(({ mounts }) => mounts)
    .flatMap((mount) => (mount.type === 'tmpfs' || mount.readonly ? [] : writable(context, mount)))
    .map((path) => path.replace(/\/+$/, ''))
  // The outermost counts.
  return [...new Set(directories)].filter((path) => path !== '').sort((a, b) => a.length - b.length)
}

/** The directories of the host that a mount lets a container write to. */
function writable(context: EngineContext, mount: ContainerMount): string[] {
  if (mount.type === 'bind') return [mount.source]
  if (mount.type !== 'volume') return []
  const { device } = context.volumes.load(mount.name)?.options ?? {}
  return [context.volumes.mountpoint(mount.name), ...(device?.startsWith('/') ? [device] : [])]
}

/** A path of the host, in two parts: nothing of the first changes, the second leads through what containers write to. */
function wayTo(source: string, shared: readonly string[]): { path: string; below: string } {
  const base = shared.find((path) => source.startsWith(`${path}/`))
  const below = base === undefined ? '' : source.slice(base.length + 1).replace(/\/+$/, '')
  return base === undefined || below === '' ? { path: source, below: '' } : { path: base, below }
}

function createDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 })
  } catch (error) {
    // A file is there already: it is what is mounted.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', `cannot create bind source '${path}'`, {
      cause: error,
      hint: 'create the directory yourself',
    })
  }
}

/** An image is mounted as a container's root is: what is written to it is the container's. */
function imageSource(context: EngineContext, config: ContainerConfig, mount: ImageMount, index: number): MountSource {
  const place = `${context.store.places.of(config.id).directory}/images/${index}`
  for (const name of ['upper', 'work', 'at']) mkdirSync(`${place}/${name}`, { recursive: true, mode: 0o755 })
  const lowers = mount.layers.map((path) => (path.startsWith('/') ? path : `${context.root}/${path}`))
  const root = overlay({ lowers, upper: `${place}/upper`, work: `${place}/work` })
  return { type: 'image', root, scratch: `${place}/at` }
}
