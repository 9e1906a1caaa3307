/** A Go slice that is nil: an empty list to a template, null in JSON. */
class NilSlice extends Array<never> {
  toJSON(): null {
    return null
  }
}

/** A Go map that is nil: an empty map to a template, null in JSON. */
class NilMap {
  toJSON(): null {
    return null
  }
}

const MAPS = new Set(
  'Annotations Data DriverOpts ExposedPorts Labels LogConfig Options PortBindings Ports StorageOpt Sysctls Tmpfs Volumes'.split(
    ' ',
  ),
)
/** Pointers: nil is nil. */
const POINTERS = new Set(
  'ConsoleSize Health Healthcheck IPAMConfig Init MemorySwappiness OomKillDisable PidsLimit StopTimeout'.split(' '),
)

/** JSON of docker's API as its Go types have it: `{{.Config.Entrypoint}}` of a null list is `[]`, not `<no value>`. */
export function withGoTypes(value: unknown, key = ''): unknown {
  if (value === null && key !== '' && !POINTERS.has(key)) return MAPS.has(key) ? new NilMap() : new NilSlice()
  if (Array.isArray(value)) return value.map((item) => withGoTypes(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withGoTypes(item, name)]))
}
