import { mkdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, writeFileDurably } from '../content/index.js'
import { invalidArgument, isJubakoError, JubakoError } from '../errors/index.js'
import {
  type Descriptor,
  type Digest,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  digestOf,
  encodePlatform,
  familiarReference,
  formatReference,
  isImageConfig,
  isKnownPlatform,
  LIMITS,
  type Manifest,
  OCI_INDEX,
  type Platform,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../oci/index.js'
import type { RegistryClient, Repository } from '../registry/index.js'
import { referenceFileName } from './layout.js'

/** One image of a list, as its registry has it. */
export interface ListedManifest {
  /** Canonical. */
  reference: string
  descriptor: Descriptor & { platform: Platform }
  /** The manifest's bytes. */
  raw: Buffer
}

/** What `manifest inspect` shows: a list made here, or what a registry has. */
export interface InspectedManifest {
  /** The index, or the one manifest. */
  document: Buffer
  isList: boolean
  manifests: ListedManifest[]
}

interface StoredList {
  reference: string
  manifests: { reference: string; descriptor: Descriptor & { platform: Platform }; raw: string }[]
}

export interface Annotation {
  os?: string | undefined
  architecture?: string | undefined
  variant?: string | undefined
  osVersion?: string | undefined
  osFeatures?: readonly string[] | undefined
}

/** Indexes that are put together here out of images in a registry, and then pushed. One JSON file for each. */
export class ManifestLists {
  readonly #directory: string

  constructor(root: string) {
    this.#directory = join(root, 'manifests')
  }

  /**
   * @param members names of images in the same registry
   * @throws JubakoError `ERR_JUBAKO_CONFLICT` when the list exists and is not to be amended
   */
  async create(
    registry: RegistryClient,
    name: string,
    members: readonly string[],
    options: { amend?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const target = withDefaultTag(parseReference(name))
    const before = this.#read(target)
    if (before !== undefined && !options.amend) {
      throw new JubakoError('ERR_JUBAKO_CONFLICT', 'refusing to amend an existing manifest list with no --amend flag')
    }
    const manifests = new Map((before?.manifests ?? []).map((one) => [one.reference, one]))
    for (const member of members) {
      const reference = withDefaultTag(parseReference(member))
      if (manifests.has(formatReference(reference))) continue
      const found = await fetchManifest(registry.repository(reference), reference, options.signal)
      manifests.set(found.reference, found)
    }
    await this.#write(target, [...manifests.values()])
  }

  /** @throws JubakoError `ERR_JUBAKO_NOT_FOUND`, `ERR_JUBAKO_INVALID_ARGUMENT` for a platform that does not exist */
  async annotate(name: string, member: string, annotation: Annotation): Promise<void> {
    const target = withDefaultTag(parseReference(name))
    const list = this.#get(target)
    const reference = formatReference(withDefaultTag(parseReference(member)))
    const found = list.manifests.find((one) => one.reference === reference)
    if (found === undefined) {
      throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `manifest for image ${member} does not exist in ${name}`)
    }
    const { os, architecture, variant, osVersion, osFeatures } = annotation
    const { platform } = found.descriptor
    if (os !== undefined) platform.os = os
    if (architecture !== undefined) platform.architecture = architecture
    if (variant !== undefined) platform.variant = variant
    if (osVersion !== undefined) platform['os.version'] = osVersion
    if (osFeatures !== undefined)
      platform['os.features'] = [...new Set([...(platform['os.features'] ?? []), ...osFeatures])]
    if (!isKnownPlatform(platform)) {
      throw invalidArgument(
        `manifest entry for image has unsupported os/arch combination: ${platform.os}/${platform.architecture}`,
      )
    }
    await this.#write(target, list.manifests)
  }

  /** A list made here, else what the registry has under that name. */
  async inspect(
    registry: RegistryClient,
    name: string,
    options: { members?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<InspectedManifest> {
    const reference = withDefaultTag(parseReference(name))
    const list = this.#read(reference)
    if (list !== undefined) return { document: encodeIndex(list.manifests), isList: true, manifests: list.manifests }
    const repository = registry.repository(reference)
    const { bytes, mediaType } = await getManifest(repository, reference, options.signal)
    const document = parseManifest(bytes, mediaType, familiarReference(reference))
    if (document.kind === 'manifest') {
      const manifests = options.members ? [await listed(repository, reference, bytes, document, options.signal)] : []
      return { document: bytes, isList: false, manifests }
    }
    const manifests: ListedManifest[] = []
    for (const { digest, platform } of options.members ? document.manifests : []) {
      const { domain, path } = reference
      const one = await fetchManifest(repository, { domain, path, digest }, options.signal)
      if (platform !== undefined) one.descriptor.platform = platform
      manifests.push(one)
    }
    return { document: bytes, isList: true, manifests }
  }

  /**
   * Sends the images that the list names to its repository, and then the list.
   *
   * @returns its digest
   */
  async push(
    registry: RegistryClient,
    name: string,
    options: { purge?: boolean; signal?: AbortSignal | undefined; onPushed?: (reference: string) => void } = {},
  ): Promise<Digest> {
    const target = withDefaultTag(parseReference(name))
    const { manifests } = this.#get(target)
    const { signal } = options
    const repository = registry.repository(target)
    for (const one of manifests) {
      const from = parseReference(one.reference)
      if (from.domain !== target.domain) {
        throw invalidArgument(
          `cannot use source images from a different registry than the target image: ${from.domain} != ${target.domain}`,
        )
      }
      await copyManifest(registry.repository(from), repository, one, signal)
      options.onPushed?.(familiarReference({ domain: target.domain, path: target.path, digest: one.descriptor.digest }))
    }
    const bytes = encodeIndex(manifests)
    const digest = await repository.putManifest(target.tag!, { bytes, mediaType: indexType(manifests) }, { signal })
    if (options.purge) await this.remove(name)
    return digest
  }

  /** @throws JubakoError `ERR_JUBAKO_NOT_FOUND` */
  async remove(name: string): Promise<void> {
    const reference = withDefaultTag(parseReference(name))
    this.#get(reference)
    await rm(this.#path(reference))
    await syncDirectory(this.#directory)
  }

  #path(reference: Reference): string {
    return join(this.#directory, referenceFileName(formatReference(reference)))
  }

  #get(reference: Reference): { manifests: ListedManifest[] } {
    const list = this.#read(reference)
    if (list !== undefined) return list
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such manifest: ${familiarReference(reference)}`)
  }

  #read(reference: Reference): { manifests: ListedManifest[] } | undefined {
    try {
      const { manifests } = JSON.parse(readFileSync(this.#path(reference), 'utf8')) as StoredList
      return { manifests: manifests.map((one) => ({ ...one, raw: Buffer.from(one.raw, 'base64') })) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  async #write(reference: Reference, manifests: readonly ListedManifest[]): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const list: StoredList = {
      reference: formatReference(reference),
      // As docker orders them, so that the same list has the same digest.
      manifests: [...manifests]
        .sort((a, b) => (a.reference < b.reference ? -1 : 1))
        .map((one) => ({ ...one, raw: one.raw.toString('base64') })),
    }
    await writeFileDurably(this.#path(reference), JSON.stringify(list))
  }
}

/** Docker's list if all images are of that family, else the specification's. */
function indexType(manifests: readonly ListedManifest[]): string {
  const docker = manifests.length > 0 && manifests.every(({ descriptor }) => descriptor.mediaType === DOCKER_MANIFEST)
  return docker ? DOCKER_MANIFEST_LIST : OCI_INDEX
}

/** Byte for byte what docker makes of the same images. */
function encodeIndex(manifests: readonly ListedManifest[]): Buffer {
  const index = {
    schemaVersion: 2,
    mediaType: indexType(manifests),
    manifests: manifests.map(({ descriptor: { mediaType, size, digest, platform } }) => ({
      mediaType,
      size,
      digest,
      platform: encodePlatform(platform),
    })),
  }
  return Buffer.from(JSON.stringify(index, undefined, 3))
}

async function getManifest(repository: Repository, reference: Reference, signal: AbortSignal | undefined) {
  try {
    return await repository.getManifest(reference.digest ?? reference.tag!, { signal })
  } catch (error) {
    if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw error
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `no such manifest: ${familiarReference(reference)}`, { cause: error })
  }
}

async function fetchManifest(
  repository: Repository,
  reference: Reference,
  signal: AbortSignal | undefined,
): Promise<ListedManifest> {
  const { bytes, mediaType } = await getManifest(repository, reference, signal)
  const what = familiarReference(reference)
  const document = parseManifest(bytes, mediaType, what)
  if (document.kind === 'index') throw invalidArgument(`${what} is a manifest list`, { path: what })
  return listed(repository, reference, bytes, document, signal)
}

/** The platform stands in the configuration. */
async function listed(
  repository: Repository,
  reference: Reference,
  raw: Buffer,
  { mediaType, config }: Manifest,
  signal: AbortSignal | undefined,
): Promise<ListedManifest> {
  const digest = digestOf(raw)
  const platform: Platform = isImageConfig(config.mediaType)
    ? parseImageConfig(await readBlob(repository, config, signal), `configuration ${config.digest}`).platform
    : { os: 'unknown', architecture: 'unknown' }
  const descriptor = { mediaType, digest, size: raw.length, platform: { ...platform } }
  return { reference: formatReference(reference), descriptor, raw }
}

async function readBlob(repository: Repository, blob: Descriptor, signal: AbortSignal | undefined): Promise<Buffer> {
  if (blob.size > LIMITS.configBytes) {
    throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `configuration ${blob.digest} is larger than allowed`)
  }
  let chunks: Uint8Array[] = []
  const sink = {
    get offset() {
      return chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    },
    write: async (chunk: Uint8Array) => void chunks.push(chunk),
    restart: async () => {
      chunks = []
    },
  }
  await repository.downloadBlob(blob, sink, { signal })
  const bytes = Buffer.concat(chunks)
  if (digestOf(bytes) === blob.digest) return bytes
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `registry ${repository.registry}: ${blob.digest} has other content`)
}

/** Blobs are mounted from the image's own repository. */
async function copyManifest(
  from: Repository,
  to: Repository,
  one: ListedManifest,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { mediaType, digest } = one.descriptor
  if (from.name !== to.name) {
    const document = parseManifest(one.raw, mediaType, one.reference)
    for (const blob of document.kind === 'manifest' ? [document.config, ...document.layers] : []) {
      if (!(await to.mountBlob(blob.digest, from.name, { signal }))) {
        throw new JubakoError(
          'ERR_JUBAKO_REGISTRY',
          `registry ${to.registry}: cannot mount ${blob.digest} of ${from.name}`,
          {
            hint: `push the images to ${to.name} first`,
          },
        )
      }
    }
  }
  await to.putManifest(digest, { bytes: one.raw, mediaType }, { signal })
}
