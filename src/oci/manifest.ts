import { JubakoError } from '../errors/index.js'
import { type Descriptor, parseDescriptor } from './descriptor.js'
import { type JsonObject, optionalString, parseJsonObject, requireArray, stringMap } from './json.js'
import { LIMITS } from './limits.js'
import { DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, documentKind, OCI_INDEX, OCI_MANIFEST } from './media-types.js'
import { formatPlatform, type Platform, platformRank } from './platform.js'

/** An image manifest, OCI or Docker schema 2 (image-spec, "Image Manifest"). */
export interface Manifest {
  kind: 'manifest'
  mediaType: string
  config: Descriptor
  /** Lowest first. */
  layers: Descriptor[]
  artifactType?: string
  subject?: Descriptor
  annotations?: Record<string, string>
}

/** An image index, or Docker's manifest list (image-spec, "Image Index"). */
export interface Index {
  kind: 'index'
  mediaType: string
  manifests: Descriptor[]
  artifactType?: string
  subject?: Descriptor
  annotations?: Record<string, string>
}

/**
 * Parses a manifest or index. A document that could be read as both, or whose own `mediaType` is not the announced
 * one, is refused (GHSA-xmmx-7jpf-fx42, CVE-2021-41190).
 *
 * @param announced media type of the descriptor or the registry's Content-Type; undefined when nothing said it
 * @throws JubakoError `ERR_JUBAKO_INTEGRITY`, `ERR_JUBAKO_LIMIT_EXCEEDED`, `ERR_JUBAKO_UNSUPPORTED` for schema 1
 */
export function parseManifest(bytes: Uint8Array, announced: string | undefined, what: string): Manifest | Index {
  const object = parseJsonObject(bytes, what, LIMITS.manifestBytes)
  const mediaType = documentMediaType(object, announced, what)
  return documentKind(mediaType) === 'index'
    ? parseIndexObject(object, mediaType, what)
    : parseManifestObject(object, mediaType, what)
}

function documentMediaType(object: JsonObject, announced: string | undefined, what: string): string {
  const own = optionalString(object, 'mediaType', what)
  if (object.schemaVersion === 1 || (announced !== undefined && documentKind(announced) === 'schema1')) {
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `${what}: Docker image manifest schema 1 is not supported`, {
      hint: 'push the image again with a current tool: schema 1 has been obsolete since 2017',
    })
  }
  if (object.schemaVersion !== 2) throw integrity(`${what}: schemaVersion is not 2`)
  const isIndex = object.manifests !== undefined
  const isManifest = object.layers !== undefined || object.config !== undefined
  if (isIndex && isManifest) throw integrity(`${what}: ambiguous document, manifest and index at once`)
  if (!isIndex && !isManifest) throw integrity(`${what}: neither an image manifest nor an image index`)
  const said = own ?? (announced !== undefined && documentKind(announced) !== undefined ? announced : undefined)
  const mediaType = said ?? (isIndex ? OCI_INDEX : OCI_MANIFEST)
  if (own !== undefined && announced !== undefined && documentKind(announced) !== undefined && own !== announced) {
    throw integrity(`${what}: mediaType ${own} does not match the announced ${announced}`)
  }
  const expected = isIndex ? 'index' : 'manifest'
  if (documentKind(mediaType) !== expected) throw integrity(`${what}: ${mediaType} is not the type of an ${expected}`)
  return mediaType
}

function parseManifestObject(object: JsonObject, mediaType: string, what: string): Manifest {
  const layers = requireArray(object.layers, `${what}: layers`, LIMITS.layers)
  const config = parseDescriptor(object.config, `${what}: config`)
  return {
    kind: 'manifest',
    mediaType,
    config,
    layers: layers.map((layer, i) => parseDescriptor(layer, `${what}: layers[${i}]`)),
    ...commonMembers(object, what),
  }
}

function parseIndexObject(object: JsonObject, mediaType: string, what: string): Index {
  const manifests = requireArray(object.manifests, `${what}: manifests`, LIMITS.indexEntries)
  return {
    kind: 'index',
    mediaType,
    manifests: manifests.map((entry, i) => parseDescriptor(entry, `${what}: manifests[${i}]`)),
    ...commonMembers(object, what),
  }
}

function commonMembers(object: JsonObject, what: string): Pick<Manifest, 'artifactType' | 'subject' | 'annotations'> {
  const artifactType = optionalString(object, 'artifactType', what)
  return {
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(object.subject == null ? {} : { subject: parseDescriptor(object.subject, `${what}: subject`) }),
    ...(object.annotations == null ? {} : { annotations: stringMap(object.annotations, `${what}: annotations`) }),
  }
}

/** Entries of an index that are images or indexes, best for `wanted` first. Attestations are left out. */
export function selectManifests(index: Index, wanted: Platform): Descriptor[] {
  return index.manifests
    .map((descriptor, position) => ({ descriptor, position, rank: entryRank(descriptor, wanted) }))
    .filter((entry): entry is typeof entry & { rank: number } => entry.rank !== undefined)
    .sort((a, b) => a.rank - b.rank || a.position - b.position)
    .map((entry) => entry.descriptor)
}

/** An entry that names no platform may still fit: its configuration decides. */
const UNSAID_PLATFORM = 1000

function entryRank(descriptor: Descriptor, wanted: Platform): number | undefined {
  if (descriptor.annotations?.['vnd.docker.reference.type'] !== undefined) return undefined
  const kind = documentKind(descriptor.mediaType)
  if (kind !== 'manifest' && kind !== 'index') return undefined
  const { platform } = descriptor
  if (platform === undefined || (platform.os === '' && platform.architecture === '')) return UNSAID_PLATFORM
  return platformRank(wanted, platform)
}

/** Docker's words for an index without the wanted platform. */
export function noMatchingManifest(index: Index, wanted: Platform, what: string): JubakoError {
  const offered = index.manifests
    .filter((entry) => entry.platform !== undefined && entry.platform.os !== 'unknown' && entry.platform.os !== '')
    .map((entry) => formatPlatform(entry.platform!))
  const list = [...new Set(offered)].slice(0, 20).join(', ')
  return new JubakoError(
    'ERR_JUBAKO_NOT_FOUND',
    `${what}: no matching manifest for ${formatPlatform(wanted)} in the manifest list entries`,
    { hint: list === '' ? 'the index names no platform' : `choose one with --platform: ${list}` },
  )
}

/** Whether the document is of Docker's family; pushes and exports keep to it. */
export function isDockerDocument(mediaType: string): boolean {
  return mediaType === DOCKER_MANIFEST || mediaType === DOCKER_MANIFEST_LIST
}

function integrity(message: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_INTEGRITY', message)
}
