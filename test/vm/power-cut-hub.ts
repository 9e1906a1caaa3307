/** The registry's part of the power cut test: blobs and manifests that it acknowledged are there afterwards. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RegistryServer, serveRegistry } from '../../src/hub/index.js'

const NAME = 'cut/pushed'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const PAUSE_MS = 100

/** The same bytes for the same name, of a size of its own. */
function bytesOf(name: string): Buffer {
  const parts = Array.from({ length: 200 + (name.length % 7) * 400 }, (_, i) =>
    createHash('sha256').update(`${name} ${i}`).digest(),
  )
  return Buffer.concat(parts)
}

const digestOf = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

function documentOf(layer: Buffer): string {
  const item = { mediaType: 'application/octet-stream', digest: digestOf(layer), size: layer.length }
  return JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: item, layers: [item] })
}

export class PowerCutHub {
  private constructor(
    readonly root: string,
    readonly server: RegistryServer,
  ) {}

  static async start(root: string): Promise<PowerCutHub> {
    return new PowerCutHub(root, await serveRegistry({ root, port: 0 }))
  }

  /** Pushes until the power goes: `stored RUN N` says that everything of this run up to its Nth was acknowledged. */
  async work(run: string): Promise<never> {
    for (let n = 0; ; n++) {
      const tag = `${run}-${n}`
      const layer = bytesOf(tag)
      const begun = await this.#call('POST', '/blobs/uploads/')
      const place = begun.headers.get('location')!
      const half = layer.length >> 1
      await this.#sent('PATCH', place, layer.subarray(0, half), 202)
      await this.#sent('PUT', `${place}?digest=${digestOf(layer)}`, layer.subarray(half), 201)
      await this.#sent('PUT', `/v2/${NAME}/manifests/${tag}`, documentOf(layer), 201)
      console.log(`stored ${run} ${n}`)
      await sleep(PAUSE_MS)
    }
  }

  /** @param promised `RUN:N` @returns what is wrong */
  async check(promised: readonly string[]): Promise<string[]> {
    const problems: string[] = []
    for (const entry of promised) {
      const [run = '', last] = entry.split(':')
      for (let n = 0; n <= Number(last); n++) {
        const tag = `${run}-${n}`
        const layer = bytesOf(tag)
        const document = await (await this.#call('GET', `/manifests/${tag}`)).text()
        if (document !== documentOf(layer)) problems.push(`manifest ${tag} was acknowledged, and is not here`)
        const blob = Buffer.from(await (await this.#call('GET', `/blobs/${digestOf(layer)}`)).arrayBuffer())
        if (!blob.equals(layer)) problems.push(`the blob of ${tag} was acknowledged, and is not here`)
      }
    }
    for (const tag of await this.#tags()) {
      const response = await this.#call('GET', `/manifests/${tag}`)
      if (response.status !== 200) problems.push(`tag ${tag} is listed, and not there: ${response.status}`)
    }
    const blobs = join(this.root, 'blobs/sha256')
    for (const name of readdirSync(blobs)) {
      if (digestOf(readFileSync(join(blobs, name))) !== `sha256:${name}`) problems.push(`blob ${name} is damaged`)
    }
    return problems
  }

  async #tags(): Promise<string[]> {
    const response = await this.#call('GET', '/tags/list')
    return response.status === 404 ? [] : ((await response.json()) as { tags: string[] }).tags
  }

  #call(method: string, path: string): Promise<Response> {
    return fetch(`${this.server.url}/v2/${NAME}${path}`, { method })
  }

  async #sent(method: string, path: string, body: Uint8Array | string, status: number): Promise<void> {
    const response = await fetch(this.server.url + path, {
      method,
      body: body as never,
      headers: { 'Content-Type': MANIFEST },
    })
    if (response.status !== status) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  }
}
