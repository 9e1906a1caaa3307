/** The real layer unpacker, counted: tests see what was unpacked again and what was not. */
import { unpackLayer } from '../../src/archive/index.js'
import type { LayerUnpacker, UnpackRequest } from '../../src/images/index.js'

export class CountingUnpacker implements LayerUnpacker {
  /** Layers unpacked so far. */
  count = 0

  unpack(request: UnpackRequest) {
    this.count++
    return unpackLayer(request)
  }
}
