import { JubakoError } from '../errors/index.js'
import { type Digest, parseDigest } from './digest.js'
import { type JsonObject, optionalString, requireObject, stringMap } from './json.js'
import { LIMITS } from './limits.js'
import { type Platform, parsePlatformObject } from './platform.js'

/** Names content by type, digest and size (image-spec, "Content Descriptors"). */
export interface Descriptor {
  mediaType: string
  digest: Digest
  /** Bytes. */
  size: number
  platform?: Platform
  annotations?: Record<string, string>
  artifactType?: string
  /** Where foreign layers can be had. Never fetched with credentials. */
  urls?: string[]
}

/**
 * Validates a descriptor of a manifest or index.
 *
 * @param what how the descriptor is called in the error, for example `layers[3]`
 * @throws JubakoError `ERR_JUBAKO_INTEGRITY`
 */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  const object = requireObject(value, what)
  const { size } = object
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > LIMITS.blobBytes) {
    throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: size is not a number of bytes`)
  }
  const mediaType = optionalString(object, 'mediaType', what)
  if (mediaType === undefined) throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: no mediaType`)
  const descriptor: Descriptor = { mediaType, digest: parseDigest(object.digest, `${what}.digest`), size }
  addOptional(descriptor, object, what)
  return descriptor
}

function addOptional(descriptor: Descriptor, object: JsonObject, what: string): void {
  const artifactType = optionalString(object, 'artifactType', what)
  if (artifactType !== undefined) descriptor.artifactType = artifactType
  if (object.annotations != null) descriptor.annotations = stringMap(object.annotations, `${what}.annotations`)
  if (object.platform != null) descriptor.platform = parsePlatformObject(object.platform, `${what}.platform`)
  if (Array.isArray(object.urls)) descriptor.urls = object.urls.filter((url) => typeof url === 'string')
}
