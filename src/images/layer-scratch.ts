import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { FileLock } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import { closeFd, openPipe } from '../native/process.js'
import type { LayerStore } from './layer-store.js'
import type { Layout } from './layout.js'
import type { LayerPacker, LayerUnpacker, PackedLayer } from './types.js'

/** A directory for a layer that is made before it is known what it is. A crash leaves what the layer store sweeps. */
export class LayerScratch {
  readonly #directory: string
  readonly #lock: FileLock
  readonly #layers: LayerStore
  readonly #tools: { packer: LayerPacker; unpacker: LayerUnpacker }

  private constructor(
    directory: string,
    lock: FileLock,
    layers: LayerStore,
    tools: { packer: LayerPacker; unpacker: LayerUnpacker },
  ) {
    this.#directory = directory
    this.#lock = lock
    this.#layers = layers
    this.#tools = tools
  }

  static make(
    layout: Layout,
    layers: LayerStore,
    tools: { packer: LayerPacker; unpacker: LayerUnpacker },
  ): LayerScratch {
    for (;;) {
      const directory = join(layout.ingest, `layer-${randomBytes(12).toString('hex')}`)
      const lock = FileLock.tryAcquire(`${directory}.lock`)
      if (lock === undefined) continue
      mkdirSync(join(directory, 'diff'), { recursive: true, mode: 0o755 })
      return new LayerScratch(directory, lock, layers, tools)
    }
  }

  get diff(): string {
    return join(this.#directory, 'diff')
  }

  /** Copies a layer, hashing it on the way. */
  async copy(source: string, tolerant: boolean, signal: AbortSignal | undefined): Promise<PackedLayer> {
    const [read, write] = openPipe()
    const packing = this.#tools.packer
      .pack({ directory: source, tolerant, output: write, signal })
      .finally(() => closeFd(write))
    const unpacking = this.#tools.unpacker
      .unpack({ fd: read, size: 0, target: this.diff, signal })
      .finally(() => closeFd(read))
    const [packed, unpacked] = await Promise.allSettled([packing, unpacking])
    // Who writes into a pipe only notices that the other has stopped.
    if (unpacked.status === 'rejected') throw unpacked.reason
    if (packed.status === 'rejected') throw packed.reason
    if (unpacked.value.diffId !== packed.value.diffId) {
      throw new JubakoError('ERR_JUBAKO_INTEGRITY', `the copy of ${source} is not what it was made from`)
    }
    return packed.value
  }

  async remove(): Promise<void> {
    try {
      await this.#layers.discard(this.#directory)
    } finally {
      this.#lock.releaseAndRemove()
    }
  }
}
