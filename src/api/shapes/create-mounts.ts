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
  if (!source.startsWith('/')) throw badRequest(`invalid volume specification: '${text}': volumes are not built yet`)
  const mount: MountOption = { type: 'bind', source, target, createSource: true }
  for (const option of options.split(',').filter((it) => it !== '')) {
    if (option === 'ro' || option === 'rw') mount.readonly = option === 'ro'
    else if (PROPAGATIONS.has(option)) mount.propagation = option as NonNullable<MountOption['propagation']>
    else if (!['z', 'Z', 'nocopy', 'consistent', 'cached', 'delegated'].includes(option)) {
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
  throw badRequest(`invalid mount config: mount type "${type}" unknown`)
}

/** All mounts of a request: `Binds`, `Mounts` and `Tmpfs`. */
export function mounts(_body: Fields, host: Fields): MountOption[] {
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
