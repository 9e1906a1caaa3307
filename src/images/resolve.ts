import type { ContentStore } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import {
  type Digest,
  digestHex,
  familiarReference,
  favorDigest,
  formatPlatform,
  formatReference,
  hostPlatform,
  type ImageConfig,
  type ImageId,
  LIMITS,
  type Platform,
  parseImageConfig,
  parsePlatform,
  parseReference,
  platformMatches,
  repositoryName,
  withDefaultTag,
} from '../oci/index.js'
import type { LayerStore } from './layer-store.js'
import type { ImageRecord, Records, ReferenceRecord } from './records.js'
import type { ResolvedImage } from './types.js'

/** What a name or ID given by a person stands for. */
export interface Found {
  image: ImageRecord
  /** Set when it was found by name. */
  reference: ReferenceRecord | undefined
}

const FULL_ID = /^(?:sha256:)?([a-f0-9]{64})$/
const SHORT_ID = /^(?:sha256:)?([a-f0-9]{1,63})$/

/** Finds images by name, tag, digest, ID or a unique beginning of an ID, in Docker's order. */
export class Resolver {
  readonly #layers: LayerStore
  readonly #content: ContentStore
  readonly #records: Records
  readonly #configs = new Map<ImageId, ImageConfig>()

  constructor(layers: LayerStore, content: ContentStore, records: Records) {
    this.#layers = layers
    this.#content = content
    this.#records = records
  }

  /**
   * @returns undefined when there is no such image here
   * @throws JubakoError `ERR_JUBAKO_INVALID_REFERENCE`
   */
  find(nameOrId: string): Found | undefined {
    const full = FULL_ID.exec(nameOrId)?.[1]
    if (full !== undefined) return this.#byId(`sha256:${full}` as Digest as ImageId)
    const short = SHORT_ID.exec(nameOrId)?.[1]
    // `sha256:abc` is no name with a tag.
    if (short !== undefined && nameOrId.startsWith('sha256:')) return this.#byPrefix(short)
    return this.#byName(nameOrId) ?? (short === undefined ? undefined : this.#byPrefix(short))
  }

  /** As {@link find}, or Docker's error. */
  get(nameOrId: string): Found {
    const found = this.find(nameOrId)
    if (found !== undefined) return found
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such image: ${displayName(nameOrId)}`, { path: nameOrId })
  }

  /**
   * Everything that running needs. Synchronous: warm it is two `stat` calls.
   *
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND` also when the image is there for another platform than asked
   */
  resolve(nameOrId: string, platform?: string | Platform): ResolvedImage {
    const found = this.get(nameOrId)
    if (platform !== undefined) checkPlatform(nameOrId, found.image, platform)
    return this.complete(found)
  }

  complete({ image, reference }: Found): ResolvedImage {
    const config = this.#config(image.imageId)
    return {
      id: image.imageId,
      reference: reference?.reference ?? null,
      config,
      manifest: reference?.manifest ?? image.manifest.digest,
      layers: image.chainIds.map((chainId) => this.#layers.directory(chainId)).reverse(),
      chainIds: image.chainIds,
      diffIds: config.diffIds,
      platform: image.platform,
    }
  }

  #config(id: ImageId): ImageConfig {
    let config = this.#configs.get(id)
    if (config === undefined) {
      config = parseImageConfig(this.#content.readSync(id, LIMITS.configBytes), `configuration ${id}`)
      this.#configs.set(id, config)
    }
    return config
  }

  #byId(id: ImageId): Found | undefined {
    const image = this.#records.image(id)
    return image === undefined ? undefined : { image, reference: undefined }
  }

  #byPrefix(prefix: string): Found | undefined {
    const matches = this.#records.images().filter((image) => digestHex(image.imageId).startsWith(prefix))
    return matches.length === 1 ? { image: matches[0]!, reference: undefined } : undefined
  }

  #byName(name: string): Found | undefined {
    const reference = favorDigest(withDefaultTag(parseReference(name)))
    const record = this.#records.reference(formatReference(reference)) ?? this.#byRepoDigest(reference)
    const image = record === undefined ? undefined : this.#records.image(record.imageId)
    return image === undefined ? undefined : { image, reference: record }
  }

  /** `name@digest` also means an image that was pulled by a tag of that name. */
  #byRepoDigest(reference: ReturnType<typeof parseReference>): ReferenceRecord | undefined {
    if (reference.digest === undefined) return undefined
    const name = repositoryName(reference)
    return this.#records
      .references()
      .find(
        (record) => record.repoDigest === reference.digest && repositoryName(parseReference(record.reference)) === name,
      )
  }
}

/** The familiar form with the default tag, as Docker shows what it did not find. */
function displayName(nameOrId: string): string {
  return SHORT_ID.test(nameOrId) || FULL_ID.test(nameOrId)
    ? nameOrId
    : familiarReference(withDefaultTag(parseReference(nameOrId)))
}

function checkPlatform(name: string, image: ImageRecord, platform: string | Platform): void {
  const wanted = typeof platform === 'string' ? parsePlatform(platform, hostPlatform()) : platform
  if (platformMatches(wanted, image.platform)) return
  throw new JubakoError(
    'ERR_JUBAKO_NOT_FOUND',
    `image with reference ${name} was found but its platform (${formatPlatform(image.platform)}) does not match the specified platform (${formatPlatform(wanted)})`,
    { path: name, hint: 'pull it again with that platform' },
  )
}
