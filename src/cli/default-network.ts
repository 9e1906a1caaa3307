import type { NetworkOptions } from '../engine/network-types.js'

/** Docker's default, or what `JUBAKO_NETWORK` names. The library's own is no network: see docs/decisions/default-network.md. */
export function defaultNetwork(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.JUBAKO_NETWORK || 'bridge'
}

/** The same options, in the default network unless they name one. */
export function inDefaultNetwork<T extends NetworkOptions>(options: T, environment?: NodeJS.ProcessEnv): T {
  const { network, networks } = options
  if (networks !== undefined || !(network === undefined || network === '' || network === 'default')) return options
  return { ...options, network: defaultNetwork(environment) }
}
