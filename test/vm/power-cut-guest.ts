/**
 * Program of the power cut test: `node power-cut-guest.js work|check <data root> <IDs that must be whole>`. It looks at what
 * the last cut left, pulls everything again and looks again. To work is to pull, commit and remove, and to push to a registry,
 * from then on until the power goes. What it has done it says in lines: `pulled ID`, `committed ID`, `removing ID`, `checked`,
 * `stored RUN N`, which makes `RUN:N` one of the things that must be whole.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { packLayer } from '../../src/archive/index.js'
import { Engine } from '../../src/index.js'
import { startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { type MadeImage, makeImage, type TarFile, tarOf } from '../helpers/oci-image.js'
import { PowerCutHub } from './power-cut-hub.js'

const IMAGES = 5

/** The same bytes for the same name, hard to compress. */
function bytesOf(name: string, size: number): Buffer {
  const parts: Buffer[] = []
  for (let i = 0; i * 32 < size; i++) parts.push(createHash('sha256').update(`${name} ${i}`).digest())
  return Buffer.concat(parts).subarray(0, size)
}

function filesOf(layer: string): TarFile[] {
  return Array.from({ length: 12 }, (_, i) => ({
    name: `${layer}-${i}`,
    data: bytesOf(`${layer}/${i}`, 2000 + i * 3000),
  }))
}

const layersOf = (k: number) => [filesOf('base'), filesOf(`middle-${k % 2}`), filesOf(`top-${k}`)]

interface Layer {
  chainId: string
  diffId: string
  directory: string
}

class Guest {
  readonly #engine: Engine
  readonly #images: Map<string, number>
  readonly #hub: PowerCutHub
  readonly #problems: string[] = []

  constructor(engine: Engine, hub: PowerCutHub, images: Map<string, number>) {
    this.#engine = engine
    this.#hub = hub
    this.#images = images
  }

  /** What is visible must be whole, and what was promised must be visible. */
  async check(promised: readonly string[]): Promise<void> {
    const { root } = this.#engine
    const visible = await this.#engine.images()
    for (const id of promised) {
      if (!id.startsWith('sha256:')) continue
      if (!visible.some((image) => image.id === id)) this.#problems.push(`${id} was reported, and is not here`)
    }
    const layers = this.#layers()
    for (const { id } of visible) {
      const config = JSON.parse(readFileSync(join(root, 'blobs/sha256', id.slice(7)), 'utf8'))
      const diffIds: string[] = config.rootfs.diff_ids
      for (const diffId of diffIds) {
        if (!layers.some((layer) => layer.diffId === diffId)) this.#problems.push(`${id} lacks layer ${diffId}`)
      }
      const known = this.#images.get(id)
      if (known === undefined) continue
      for (const [i, files] of layersOf(known).entries()) {
        const layer = layers.find((one) => one.diffId === diffIds[i])
        if (layer !== undefined) this.#compare(id, layer.directory, files)
      }
    }
    await this.#checkStored(layers)
    this.#problems.push(...(await this.#hub.check(promised.filter((it) => !it.startsWith('sha256:')))))
    if (this.#problems.length > 0) {
      console.log(`BROKEN\n${this.#problems.join('\n')}`)
      process.exit(1)
    }
    console.log(`checked ${visible.length} images, ${layers.length} layers, ${promised.length} promised`)
  }

  #layers(): Layer[] {
    const places = join(this.#engine.root, 'layers')
    return readdirSync(places).flatMap((chain) => {
      const record = join(places, chain, 'layer.json')
      if (!existsSync(record)) return []
      const { chainId, diffId } = JSON.parse(readFileSync(record, 'utf8')) as Layer
      return [{ chainId, diffId, directory: join(places, chain, 'diff') }]
    })
  }

  #compare(id: string, directory: string, files: readonly TarFile[]): void {
    const found = readdirSync(directory).length
    if (found !== files.length) this.#problems.push(`${id}: ${directory} has ${found} of ${files.length} files`)
    for (const { name, data } of files) {
      const path = join(directory, name)
      if (!existsSync(path) || !readFileSync(path).equals(data as Buffer))
        this.#problems.push(`${id}: ${path} is damaged`)
    }
  }

  /** Blobs are what they are called; layers that were made here have the stream that their diffID names. */
  async #checkStored(layers: readonly Layer[]): Promise<void> {
    const blobs = join(this.#engine.root, 'blobs/sha256')
    for (const name of readdirSync(blobs)) {
      const hash = createHash('sha256')
        .update(readFileSync(join(blobs, name)))
        .digest('hex')
      if (hash !== name) this.#problems.push(`blob ${name} is damaged`)
    }
    for (const { diffId, directory } of layers) {
      if (!readdirSync(directory).some((name) => name.startsWith('commit-'))) continue
      const packed = await packLayer({ directory })
      if (packed.diffId !== diffId) this.#problems.push(`layer ${diffId} is damaged: ${packed.diffId}`)
    }
  }

  async pull(address: string, k: number): Promise<void> {
    const { imageId } = await this.#engine.images.pull(`${address}/cut/image:${k}`)
    console.log(`pulled ${imageId}`)
  }

  async commit(image: string, label: string): Promise<string> {
    const container = await this.#engine.create(image, ['none'])
    await container.copyIn('/', Readable.from([tarOf(filesOf(`commit-${label}`))]))
    const { imageId } = await container.commit()
    console.log(`committed ${imageId}`)
    await container.remove()
    return imageId
  }

  async remove(id: string): Promise<void> {
    console.log(`removing ${id}`)
    // Whoever cuts the power has to know it before it happens.
    await sleep(300)
    await this.#engine.removeImage(id, { force: true })
  }
}

async function main(work: boolean, root: string, promised: readonly string[]): Promise<void> {
  const made = new Map<string, { k: number; image: MadeImage }>()
  for (let k = 0; k < IMAGES; k++) {
    const image = makeImage({ layers: layersOf(k) })
    made.set(image.imageId, { k, image })
  }
  const registry = await startScriptedRegistry({ teardown: () => undefined } as unknown as Test)
  for (const { k, image } of made.values()) registry.add('cut/image', `${k}`, image)
  const runRoot = mkdtempSync(join(tmpdir(), 'jubako-power-cut-'))
  const engine = await Engine.open({ root, runRoot })
  const hub = await PowerCutHub.start(`${root}-hub`)
  const guest = new Guest(engine, hub, new Map([...made].map(([id, { k }]) => [id, k])))
  await guest.check(promised)
  for (let k = 0; k < IMAGES; k++) await guest.pull(registry.address, k)
  await guest.check(promised)
  if (!work) {
    await hub.server.close()
    await engine.close()
    rmSync(runRoot, { recursive: true })
    process.exit(0)
  }
  const ids = [...made.keys()]
  const commits: string[] = []
  console.log('working')
  void hub.work(Date.now().toString(36))
  for (let n = 0; ; n++) {
    const id = ids[n % IMAGES]!
    if (n % 2 === 0) commits.push(await guest.commit(id, `${process.pid}-${n}`))
    if (commits.length > 3) await guest.remove(commits.shift()!)
    // A commit above it keeps its layers; one without keeps nothing.
    for (const commit of commits.splice(0, n % 5 === 4 ? 9 : 0)) await guest.remove(commit)
    await guest.remove(id)
    await guest.pull(registry.address, n % IMAGES)
  }
}

const [task = '', root = '', promised = ''] = process.argv.slice(2)
await main(task === 'work', root, promised.split(',').filter(Boolean))
