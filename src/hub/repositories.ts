import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { syncDirectory, writeFileDurably } from '../content/index.js'
import { type Digest, isDigest } from '../oci/index.js'

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`)

/** A manifest that a repository has. */
export interface StoredManifest {
  digest: Digest
  mediaType: string
  size: number
  /** What it refers to (`subject`); it is then one of that manifest's referrers. */
  subject?: Digest
  artifactType?: string
  annotations?: Record<string, string>
}

export const isRepositoryName = (name: string): boolean => name.length <= 240 && NAME.test(name)

const fileOf = (digest: Digest): string => `${digest.replace(':', '-')}.json`
const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Which repository has what: `<root>/repositories/<name, / as ~>/{blobs,manifests,tags}/`, small JSON files. Names passed
 * {@link isRepositoryName}, so none leaves the directory.
 */
export class Repositories {
  constructor(private readonly root: string) {}

  #place(name: string, kind: string): string {
    return `${this.root}/repositories/${name.replaceAll('/', '~')}/${kind}`
  }

  async #write(name: string, kind: string, file: string, value: unknown): Promise<void> {
    const directory = this.#place(name, kind)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writeFileDurably(`${directory}/${file}`, `${JSON.stringify(value)}\n`)
  }

  async #read<T>(name: string, kind: string, file: string): Promise<T | undefined> {
    try {
      return JSON.parse(await readFile(`${this.#place(name, kind)}/${file}`, 'utf8')) as T
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  async #list(name: string, kind: string): Promise<string[]> {
    const names = await readdir(this.#place(name, kind)).catch(() => [] as string[])
    return names.filter((it) => it.endsWith('.json') && !it.startsWith('.')).map((it) => it.slice(0, -5))
  }

  async #remove(name: string, kind: string, file: string): Promise<void> {
    await rm(`${this.#place(name, kind)}/${file}`, { force: true })
    await syncDirectory(this.#place(name, kind)).catch(() => {})
  }

  /** Names in order. */
  async names(): Promise<string[]> {
    const all = await readdir(`${this.root}/repositories`).catch(() => [] as string[])
    return all
      .map((it) => it.replaceAll('~', '/'))
      .filter(isRepositoryName)
      .sort(byName)
  }

  async exists(name: string): Promise<boolean> {
    return (await this.#list(name, 'manifests')).length > 0 || (await this.#list(name, 'blobs')).length > 0
  }

  async hasBlob(name: string, digest: Digest): Promise<boolean> {
    return (await this.#read(name, 'blobs', fileOf(digest))) !== undefined
  }

  addBlob(name: string, digest: Digest): Promise<void> {
    return this.#write(name, 'blobs', fileOf(digest), {})
  }

  removeBlob(name: string, digest: Digest): Promise<void> {
    return this.#remove(name, 'blobs', fileOf(digest))
  }

  manifest(name: string, digest: Digest): Promise<StoredManifest | undefined> {
    return this.#read(name, 'manifests', fileOf(digest))
  }

  addManifest(name: string, manifest: StoredManifest): Promise<void> {
    return this.#write(name, 'manifests', fileOf(manifest.digest), manifest)
  }

  /** Takes its tags along. */
  async removeManifest(name: string, digest: Digest): Promise<void> {
    for (const tag of await this.tags(name)) if ((await this.tag(name, tag)) === digest) await this.removeTag(name, tag)
    await this.#remove(name, 'manifests', fileOf(digest))
  }

  async referrers(name: string, subject: Digest): Promise<StoredManifest[]> {
    const found: StoredManifest[] = []
    for (const file of (await this.#list(name, 'manifests')).sort(byName)) {
      const digest = file.replace('-', ':')
      const manifest = isDigest(digest) ? await this.manifest(name, digest) : undefined
      if (manifest?.subject === subject) found.push(manifest)
    }
    return found
  }

  async tags(name: string): Promise<string[]> {
    return (await this.#list(name, 'tags')).sort(byName)
  }

  async tag(name: string, tag: string): Promise<Digest | undefined> {
    return (await this.#read<{ digest: Digest }>(name, 'tags', `${tag}.json`))?.digest
  }

  setTag(name: string, tag: string, digest: Digest): Promise<void> {
    return this.#write(name, 'tags', `${tag}.json`, { digest })
  }

  removeTag(name: string, tag: string): Promise<void> {
    return this.#remove(name, 'tags', `${tag}.json`)
  }
}
