import { packLayer, unpackLayer } from '../archive/index.js'
import type { LayerPacker, LayerUnpacker } from '../images/index.js'

/** Layers are unpacked and packed by the jailed workers of `src/archive`. */
export const layerUnpacker: LayerUnpacker = { unpack: unpackLayer }
export const layerPacker: LayerPacker = { pack: packLayer }
