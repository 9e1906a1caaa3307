import type { Digest } from '../oci/index.js'
import type { LocalImages, LocalTag } from './local.js'
import {
  byName,
  isRepositoryName,
  type Repositories,
  type RepositoryStore,
  type StoredManifest,
} from './repositories.js'

/** Repositories of what was pushed here, and of the images that are on this machine anyway. */
export class LocalRepositories implements RepositoryStore {
  constructor(
    private readonly pushed: Repositories,
    private readonly local: LocalImages,
  ) {}

  #tags(name: string): LocalTag[] {
    return this.local.tags().filter((it) => it.name === name)
  }

  async names(): Promise<string[]> {
    const local = this.local.tags().flatMap(({ name }) => (isRepositoryName(name) ? [name] : []))
    return [...new Set([...(await this.pushed.names()), ...local])].sort(byName)
  }

  async exists(name: string): Promise<boolean> {
    return this.#tags(name).length > 0 || (await this.pushed.exists(name))
  }

  async hasBlob(name: string, digest: Digest): Promise<boolean> {
    return this.local.hasBlob(name, digest) || (await this.pushed.hasBlob(name, digest))
  }

  addBlob(name: string, digest: Digest): Promise<void> {
    return this.pushed.addBlob(name, digest)
  }

  removeBlob(name: string, digest: Digest): Promise<void> {
    return this.pushed.removeBlob(name, digest)
  }

  async manifest(name: string, digest: Digest): Promise<StoredManifest | undefined> {
    const pushed = await this.pushed.manifest(name, digest)
    if (pushed !== undefined) return pushed
    const local = this.local.manifest(name, digest)
    return local === undefined ? undefined : { digest, ...local }
  }

  addManifest(name: string, manifest: StoredManifest): Promise<void> {
    return this.pushed.addManifest(name, manifest)
  }

  async removeManifest(name: string, digest: Digest): Promise<void> {
    for (const { tag, digest: named } of this.#tags(name)) if (named === digest) await this.local.untag(name, tag)
    await this.pushed.removeManifest(name, digest)
  }

  referrers(name: string, subject: Digest): Promise<StoredManifest[]> {
    return this.pushed.referrers(name, subject)
  }

  async tags(name: string): Promise<string[]> {
    const local = this.#tags(name).map(({ tag }) => tag)
    return [...new Set([...(await this.pushed.tags(name)), ...local])].sort(byName)
  }

  /** What got this name last: a build or a pull here, or a push. */
  async tag(name: string, tag: string): Promise<Digest | undefined> {
    const pushed = await this.pushed.tagRecord(name, tag)
    const local = this.#tags(name).find((it) => it.tag === tag)
    if (local === undefined || local.updatedAt < (pushed?.at ?? 0)) return pushed?.digest
    return (await this.local.complete(local)).digest
  }

  async setTag(name: string, tag: string, digest: Digest): Promise<void> {
    await this.pushed.setTag(name, tag, digest)
    const manifest = await this.pushed.manifest(name, digest)
    if (manifest !== undefined) {
      await this.local.land({ name, tag, digest, mediaType: manifest.mediaType, size: manifest.size })
    }
  }

  async removeTag(name: string, tag: string): Promise<void> {
    if (this.#tags(name).some((it) => it.tag === tag)) await this.local.untag(name, tag)
    await this.pushed.removeTag(name, tag)
  }
}
