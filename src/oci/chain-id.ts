import { type ChainId, type DiffId, digestOf } from './digest.js'

/**
 * Chain IDs of a stack of layers, lowest first: `out[i]` names layers 0 to i together (image-spec, "Layer ChainID").
 */
export function chainIds(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push((below === undefined ? (diffId as string) : digestOf(`${below} ${diffId}`)) as ChainId)
  }
  return chain
}
