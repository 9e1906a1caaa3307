/** Media types of OCI image-spec 1.1 and Docker's image manifest version 2, schema 2. */

export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json'
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar'
export const OCI_LAYER_GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip'
export const OCI_LAYER_ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd'

export const DOCKER_MANIFEST_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json'
export const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar'
export const DOCKER_LAYER_GZIP = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
export const DOCKER_LAYER_ZSTD = 'application/vnd.docker.image.rootfs.diff.tar.zstd'

/** What a registry is asked for, in order of preference. */
export const MANIFEST_ACCEPT = [OCI_INDEX, DOCKER_MANIFEST_LIST, OCI_MANIFEST, DOCKER_MANIFEST] as const

export type Compression = 'none' | 'gzip' | 'zstd'

type Kind = 'index' | 'manifest' | 'schema1'

const DOCUMENTS: Readonly<Record<string, Kind>> = {
  [OCI_INDEX]: 'index',
  [DOCKER_MANIFEST_LIST]: 'index',
  [OCI_MANIFEST]: 'manifest',
  [DOCKER_MANIFEST]: 'manifest',
  'application/vnd.docker.distribution.manifest.v1+json': 'schema1',
  'application/vnd.docker.distribution.manifest.v1+prettyjws': 'schema1',
}

const LAYERS: Readonly<Record<string, Compression>> = {
  [OCI_LAYER]: 'none',
  [OCI_LAYER_GZIP]: 'gzip',
  [OCI_LAYER_ZSTD]: 'zstd',
  [DOCKER_LAYER]: 'none',
  [DOCKER_LAYER_GZIP]: 'gzip',
  [DOCKER_LAYER_ZSTD]: 'zstd',
}

/** Which document a media type announces, or undefined for any other type. */
export function documentKind(mediaType: string): Kind | undefined {
  return Object.hasOwn(DOCUMENTS, mediaType) ? DOCUMENTS[mediaType] : undefined
}

/** Compression a layer's media type announces; undefined when it is not a layer that may be unpacked. */
export function layerCompression(mediaType: string): Compression | undefined {
  return Object.hasOwn(LAYERS, mediaType) ? LAYERS[mediaType] : undefined
}

/** Layers whose bytes live elsewhere and may not be redistributed (Windows base layers). */
export function isForeignLayer(mediaType: string): boolean {
  return mediaType.includes('.layer.nondistributable.') || mediaType.includes('.rootfs.foreign.')
}

/** True for the configuration of a runnable image; artifacts have types of their own. */
export function isImageConfig(mediaType: string): boolean {
  return mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG
}
