import type { MountOption } from '../../engine/types.js'
import { badRequest } from '../errors.js'
import type { Fields } from '../fields.js'

const PROPAGATIONS = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'])

/** `source:target[:options]`, as `-v` writes it. */
function bind(text: string): MountOption {
  const parts = text.split(':')
  const [source = '', target = '', options = ''] = parts
  if (parts.length > 3 || source === '' || target === '') {
    throw badRequest(`invalid volume specification: '${text}'`)
  }
  const mount: MountOption = source.startsWith('/')
    ? { type: 'bind', source, target, createSource: true, text }
    : { type: 'volume', source, target, text }
  for (const option of options.split(',').filter((it) => it !== '')) {
    if (option === 'ro' || option === 'rw') mount.readonly = option === 'ro'
    else if (PROPAGATIONS.has(option)) mount.propagation = option as NonNullable<MountOption['propagation']>
    else if (option === 'nocopy') mount.nocopy = true
    else if (!['z', 'Z', 'consistent', 'cached', 'delegated'].includes(option)) {
      throw badRequest(`invalid mode: ${options}`)
    }
  }
  return mount
}

/** An element of `Mounts`, as `--mount` writes it. */
function mount(fields: Fields): MountOption {
  const type = fields.string('Type') ?? ''
  const [source, target] = [fields.string('Source'), fields.string('Target') ?? '']
  const readonly = fields.bool('ReadOnly') ?? false
  if (target === '') throw badRequest('invalid mount config: field Target must not be empty')
  if (type === 'bind') {
    const options = fields.fields('BindOptions')
    const propagation = options.string('Propagation') ?? ''
    if (propagation !== '' && !PROPAGATIONS.has(propagation)) {
      throw badRequest(`invalid mount config for type "bind": invalid propagation mode: ${propagation}`)
    }
    return {
      type: 'bind',
      target,
      readonly,
      ...(source !== undefined && { source }),
      ...(propagation !== '' && { propagation: propagation as NonNullable<MountOption['propagation']> }),
      ...(options.bool('NonRecursive') && { recursive: false }),
      ...(options.bool('CreateMountpoint') && { createSource: true }),
    }
  }
  if (type === 'tmpfs') {
    const options = fields.fields('TmpfsOptions')
    const [size, mode] = [options.int('SizeBytes'), options.int('Mode')]
    return {
      type: 'tmpfs',
      target,
      readonly,
      ...(size ? { size } : {}),
      ...(mode ? { mode } : {}),
    }
  }
  if (type === 'volume') {
    const options = fields.fields('VolumeOptions')
    const config = options.fields('DriverConfig')
    const [labels, driver, driverOptions] = [options.map('Labels'), config.string('Name'), config.map('Options')]
    const subpath = options.string('Subpath')
    return {
      type: 'volume',
      target,
      readonly,
      ...(source && { source }),
      ...(subpath && { subpath }),
      ...(options.bool('NoCopy') && { nocopy: true }),
      ...(labels !== undefined && { labels }),
      ...(driver && { driver }),
      ...(driverOptions !== undefined && { driverOptions }),
    }
  }
  if (type === 'image') {
    const subpath = fields.fields('ImageOptions').string('Subpath')
    return { type: 'image', target, readonly: true, ...(source && { source }), ...(subpath && { subpath }) }
  }
  throw badRequest(`invalid mount config: mount type "${type}" unknown`)
}

/** All mounts of a request: `Binds`, `Mounts`, `Tmpfs` and `Volumes`. */
export function mounts(body: Fields, host: Fields): MountOption[] {
  const given = mountsOf(host)
  const taken = new Set(given.map(({ target }) => target))
  // `-v /path`: an anonymous volume, unless something else is there.
  const anonymous = (body.keys('Volumes') ?? []).filter((target) => !taken.has(target))
  return [...given, ...anonymous.map((target): MountOption => ({ type: 'volume', target }))]
}

function mountsOf(host: Fields): MountOption[] {
  return [
    ...(host.strings('Binds') ?? []).map(bind),
    ...host.list('Mounts').map(mount),
    ...Object.entries(host.map('Tmpfs') ?? {}).map(
      ([target, options]): MountOption => ({
        type: 'tmpfs',
        target,
        options: options.split(',').filter((it) => it !== ''),
      }),
    ),
  ]
}
