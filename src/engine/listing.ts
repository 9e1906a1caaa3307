import type { ContainerRecords } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { mountPoint } from './inspect-mounts.js'
import { networkEndpoints } from './inspect-network.js'
import { isFrozen, summaryOf } from './state.js'
import type { ContainerSummary } from './types.js'

/** A container as `GET /containers/json` tells of it. The same object comes again as long as nothing of it changed. */
export interface ContainerListing {
  readonly summary: Readonly<ContainerSummary>
  /** Docker's MountPoint objects. */
  readonly mounts: readonly Record<string, unknown>[]
  /** Docker's EndpointSettings objects by the network's name. */
  readonly networks: Readonly<Record<string, unknown>>
}

interface Known {
  listing: ContainerListing
  networks: number
}

/** Listings for those who ask again and again, made anew for what has changed since. */
export class Listings {
  readonly #known = new WeakMap<ContainerRecords, Known>()

  constructor(private readonly context: EngineContext) {}

  /** Newest first, those that do not run included. */
  all(): ContainerListing[] {
    const { store, networks } = this.context
    const change = networks.store.changedAt()
    return store
      .records()
      .map((records) => this.#one(records, change))
      .sort((a, b) => b.summary.createdAt - a.summary.createdAt)
  }

  #one(records: ContainerRecords, networks: number): ContainerListing {
    const known = this.#known.get(records)
    if (known?.networks === networks && !this.#isOther(known.listing.summary, records)) return known.listing
    const listing = listingOf(this.context, records)
    this.#known.set(records, { listing, networks })
    return listing
  }

  /** Only the kernel knows whether it is paused. */
  #isOther({ state }: Readonly<ContainerSummary>, { config }: ContainerRecords): boolean {
    if (state !== 'running' && state !== 'paused') return false
    return isFrozen(this.context, config) !== (state === 'paused')
  }
}

function listingOf(context: EngineContext, records: ContainerRecords): ContainerListing {
  const { config } = records
  const summary = summaryOf(context, config, records)
  const up = summary.state === 'running' || summary.state === 'paused'
  return {
    summary,
    mounts: config.mounts.map((mount) => mountPoint(context, mount)),
    networks: networkEndpoints(context, config, up),
  }
}
