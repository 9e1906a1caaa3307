import { unpackLayer } from '../archive/index.js'
import type { LayerUnpacker } from '../images/index.js'

/** Layers are unpacked by the jailed worker of `src/archive`. */
export const layerUnpacker: LayerUnpacker = { unpack: unpackLayer }
