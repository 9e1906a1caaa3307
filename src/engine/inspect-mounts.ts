import type { ContainerConfig, ContainerMount } from '../runtime/index.js'
import type { EngineContext } from './context.js'

/** Docker's MountPoint (Engine API 1.51). */
export function mountPoint(context: EngineContext, mount: ContainerMount): Record<string, unknown> {
  const common = { Destination: mount.target, RW: !mount.readonly, Propagation: '' }
  switch (mount.type) {
    case 'volume':
      return {
        Type: 'volume',
        Name: mount.name,
        Source: context.volumes.mountpoint(mount.name),
        Destination: mount.target,
        Driver: 'local',
        Mode: mount.origin?.mode ?? '',
        RW: !mount.readonly,
        Propagation: '',
      }
    case 'bind':
      return {
        Type: 'bind',
        Source: mount.source,
        Mode: mount.origin?.mode ?? '',
        ...common,
        Propagation: mount.propagation,
      }
    case 'tmpfs':
      return { Type: 'tmpfs', Source: '', Mode: '', ...common }
    case 'image':
      return { Type: 'image', Name: mount.source, Source: mount.source, Mode: '', ...common }
  }
}

/** `-v` as it was given, with what a client makes absolute. */
export function bindTexts(config: ContainerConfig): string[] {
  return config.mounts.flatMap((mount) => {
    if (mount.type === 'bind' && mount.origin?.text !== undefined) {
      return [`${mount.source}:${mount.target}${mount.origin.mode === '' ? '' : `:${mount.origin.mode}`}`]
    }
    if (mount.type === 'volume' && mount.origin?.text !== undefined && !mount.anonymous) return [mount.origin.text]
    return []
  })
}

/** `HostConfig.Mounts` and `HostConfig.Tmpfs`. */
export function mountSpecifications(config: ContainerConfig): Record<string, unknown> {
  const mounts = config.mounts.flatMap((mount) => specification(mount) ?? [])
  const tmpfs = config.mounts.flatMap((mount) =>
    mount.type === 'tmpfs' && mount.text !== undefined ? [[mount.target, mount.text.split(':')[1] ?? ''] as const] : [],
  )
  return {
    ...(mounts.length > 0 && { Mounts: mounts }),
    ...(tmpfs.length > 0 && { Tmpfs: Object.fromEntries(tmpfs) }),
  }
}

function specification(mount: ContainerMount): Record<string, unknown> | undefined {
  const readonly = mount.readonly && { ReadOnly: true }
  if (mount.type === 'image') {
    const options = mount.subpath !== '' && { ImageOptions: { Subpath: mount.subpath } }
    return { Type: 'image', Source: mount.source, Target: mount.target, ...readonly, ...options }
  }
  if (mount.type === 'tmpfs') {
    if (mount.text !== undefined) return undefined
    const number = (key: string, base: number) => {
      const text = mount.options.find((it) => it.startsWith(`${key}=`))?.slice(key.length + 1)
      return text === undefined ? undefined : Number.parseInt(text, base)
    }
    const [size, mode] = [number('size', 10), number('mode', 8)]
    const options = { ...(size !== undefined && { SizeBytes: size }), ...(mode !== undefined && { Mode: mode }) }
    return {
      Type: 'tmpfs',
      Target: mount.target,
      ...readonly,
      ...(Object.keys(options).length > 0 && { TmpfsOptions: options }),
    }
  }
  if (mount.origin === undefined || mount.origin.text !== undefined || mount.origin.inherited) return undefined
  if (mount.type === 'bind') {
    const options = {
      ...(mount.propagation !== 'rprivate' && { Propagation: mount.propagation }),
      ...(!mount.recursive && { NonRecursive: true }),
      ...(mount.recursiveReadonly === false && { ReadOnlyNonRecursive: true }),
    }
    return {
      Type: 'bind',
      Source: mount.source,
      Target: mount.target,
      ...readonly,
      ...(Object.keys(options).length > 0 && { BindOptions: options }),
    }
  }
  const options = {
    ...(!mount.copy && { NoCopy: true }),
    ...(mount.subpath !== '' && { Subpath: mount.subpath }),
  }
  return {
    Type: 'volume',
    ...(!mount.anonymous && { Source: mount.name }),
    Target: mount.target,
    ...readonly,
    ...(Object.keys(options).length > 0 && { VolumeOptions: options }),
  }
}
