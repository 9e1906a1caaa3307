import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises'
import { FileLock, syncDirectory, writeFileDurably } from '../content/index.js'
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
const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The order of lists: letters beside their capitals (distribution-spec, "Listing Tags"). */
export const byName = (a: string, b: string): number => byCode(a.toLowerCase(), b.toLowerCase()) || byCode(a, b)

/** Which repository has what. */
export interface RepositoryStore {
  /** Names in order. */
  names(): Promise<string[]>
  exists(name: string): Promise<boolean>
  hasBlob(name: string, digest: Digest): Promise<boolean>
  addBlob(name: string, digest: Digest): Promise<void>
  removeBlob(name: string, digest: Digest): Promise<void>
  manifest(name: string, digest: Digest): Promise<StoredManifest | undefined>
  addManifest(name: string, manifest: StoredManifest): Promise<void>
  /** Takes its tags along. */
  removeManifest(name: string, digest: Digest): Promise<void>
  referrers(name: string, subject: Digest): Promise<StoredManifest[]>
  tags(name: string): Promise<string[]>
  /** What a tag stands for. */
  tag(name: string, tag: string): Promise<Digest | undefined>
  setTag(name: string, tag: string, digest: Digest): Promise<void>
  removeTag(name: string, tag: string): Promise<void>
}

/**
 * Which repository has what: `<root>/repositories/<name, / as ~>/{blobs,manifests,tags}/`, small JSON files. Names passed
 * {@link isRepositoryName}, so none leaves the directory. A name is written before the content that it names gets its place,
 * with the lock of collections held shared: what is being pushed is never garbage.
 */
export class Repositories implements RepositoryStore {
  /** @param lock path of the file of the lock */
  constructor(
    private readonly root: string,
    private readonly lock: string,
  ) {}

  #place(name: string, kind: string): string {
    return `${this.root}/repositories/${name.replaceAll('/', '~')}/${kind}`
  }

  async #write(name: string, kind: string, file: string, value: unknown): Promise<void> {
    const directory = this.#place(name, kind)
    const lock = await FileLock.acquire(this.lock, { mode: 'shared' })
    try {
      if (!existsSync(directory)) await mkdir(directory, { recursive: true, mode: 0o700 })
      await writeFileDurably(`${directory}/${file}`, `${JSON.stringify(value)}\n`)
    } finally {
      lock.release()
    }
  }

  async #read<T>(name: string, kind: string, file: string): Promise<T | undefined> {
    try {
      // Small and warm: a turn of the event loop costs more.
      return JSON.parse(readFileSync(`${this.#place(name, kind)}/${file}`, 'utf8')) as T
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

  /** Who asks may rely on it: a blob that nothing names yet stays for another grace time. */
  async hasBlob(name: string, digest: Digest): Promise<boolean> {
    const path = `${this.#place(name, 'blobs')}/${fileOf(digest)}`
    if (!existsSync(path)) return false
    const now = new Date()
    await utimes(path, now, now).catch(() => {})
    return true
  }

  /** Blobs of a repository, and when each was last asked for: milliseconds since the epoch. */
  async blobs(name: string): Promise<{ digest: Digest; usedAt: number }[]> {
    const found: { digest: Digest; usedAt: number }[] = []
    for (const file of await this.#list(name, 'blobs')) {
      const digest = file.replace('-', ':')
      const info = await stat(`${this.#place(name, 'blobs')}/${file}.json`).catch(() => undefined)
      if (isDigest(digest) && info !== undefined) found.push({ digest, usedAt: info.mtimeMs })
    }
    return found
  }

  async manifests(name: string): Promise<StoredManifest[]> {
    const found: StoredManifest[] = []
    for (const file of (await this.#list(name, 'manifests')).sort(byName)) {
      const digest = file.replace('-', ':')
      const manifest = isDigest(digest) ? await this.manifest(name, digest) : undefined
      if (manifest !== undefined) found.push(manifest)
    }
    return found
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

  async removeManifest(name: string, digest: Digest): Promise<void> {
    for (const tag of await this.tags(name)) if ((await this.tag(name, tag)) === digest) await this.removeTag(name, tag)
    await this.#remove(name, 'manifests', fileOf(digest))
  }

  async referrers(name: string, subject: Digest): Promise<StoredManifest[]> {
    return (await this.manifests(name)).filter((it) => it.subject === subject)
  }

  async tags(name: string): Promise<string[]> {
    return (await this.#list(name, 'tags')).sort(byName)
  }

  async tag(name: string, tag: string): Promise<Digest | undefined> {
    return (await this.tagRecord(name, tag))?.digest
  }

  /** As {@link tag}, with when it was set: milliseconds since the epoch. */
  tagRecord(name: string, tag: string): Promise<{ digest: Digest; at?: number } | undefined> {
    return this.#read(name, 'tags', `${tag}.json`)
  }

  setTag(name: string, tag: string, digest: Digest): Promise<void> {
    return this.#write(name, 'tags', `${tag}.json`, { digest, at: Date.now() })
  }

  removeTag(name: string, tag: string): Promise<void> {
    return this.#remove(name, 'tags', `${tag}.json`)
  }
}
