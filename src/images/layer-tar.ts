import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { closeFd, openPipe } from '../native/process.js'
import type { ChainId } from '../oci/index.js'
import type { LayerStore } from './layer-store.js'
import { checkStream } from './materialize.js'
import type { LayerPacker } from './types.js'

/** A layer's tar stream, made of its files. It ends with an error when it is not the one that its diffID names. */
export function layerTar(layers: LayerStore, packer: LayerPacker, chainId: ChainId): Readable {
  return Readable.from(chunks(layers, packer, chainId), { objectMode: false })
}

async function* chunks(layers: LayerStore, packer: LayerPacker, chainId: ChainId): AsyncGenerator<Buffer> {
  const [read, write] = openPipe()
  const stop = new AbortController()
  const socket = new Socket({ fd: read, readable: true, writable: false })
  const packing = packer
    .pack({ directory: layers.directory(chainId), output: write, signal: stop.signal })
    .finally(() => closeFd(write))
  packing.catch(() => {})
  try {
    for await (const chunk of socket) yield chunk
    checkStream(layers, chainId, (await packing).diffId)
  } finally {
    socket.destroy()
    stop.abort()
    await packing.catch(() => {})
  }
}
