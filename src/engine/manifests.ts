import { type Annotation, type ImageStore, type InspectedManifest, ManifestLists } from '../images/index.js'
import { parseReference } from '../oci/index.js'
import type { RegistryClient } from '../registry/index.js'
import type { RegistryAuth } from './image-types.js'

export interface ManifestCallOptions {
  /** Default: what the engine was opened with. */
  auth?: RegistryAuth
  /** Speak plain http, and to any certificate, with the registry of the list. Default false. */
  insecure?: boolean
  signal?: AbortSignal
}

/** Lists of images for several platforms, made here and pushed: `docker manifest`. */
export interface ManifestApi {
  /**
   * Makes a list of images that are in the list's registry.
   *
   * @throws JubakoError `ERR_JUBAKO_CONFLICT` when it exists, unless `amend`
   */
  create(list: string, images: readonly string[], options?: ManifestCallOptions & { amend?: boolean }): Promise<void>
  /** Corrects what a list says of the platform of one of its images. */
  annotate(list: string, image: string, annotation: Annotation): Promise<void>
  /** A list made here, else what the registry has. @param options.members read the manifests that an index names too */
  inspect(name: string, options?: ManifestCallOptions & { members?: boolean }): Promise<InspectedManifest>
  /** Sends a list and what it names. @returns its digest */
  push(
    list: string,
    options?: ManifestCallOptions & { purge?: boolean; onPushed?: (reference: string) => void },
  ): Promise<string>
  /** @throws JubakoError `ERR_JUBAKO_NOT_FOUND` */
  remove(list: string): Promise<void>
}

export function manifestApi(root: string, images: ImageStore): ManifestApi {
  const lists = new ManifestLists(root)
  const reach = <T>(name: string, options: ManifestCallOptions, work: (registry: RegistryClient) => Promise<T>) => {
    const { auth, insecure = false } = options
    if (auth === undefined && !insecure) return work(images.registry)
    return images.withRegistry(
      {
        ...(auth !== undefined && { credentials: typeof auth === 'function' ? auth : () => auth }),
        ...(insecure && { insecure: [parseReference(name).domain] }),
      },
      work,
    )
  }
  return {
    create: async (list, members, options = {}) =>
      reach(list, options, (registry) => lists.create(registry, list, members, options)),
    annotate: async (list, image, annotation) => lists.annotate(list, image, annotation),
    inspect: async (name, options = {}) => reach(name, options, (registry) => lists.inspect(registry, name, options)),
    push: async (list, options = {}) => reach(list, options, (registry) => lists.push(registry, list, options)),
    remove: async (list) => lists.remove(list),
  }
}
