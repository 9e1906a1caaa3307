import type { Cgroup } from '../cgroups/index.js'
import type { ContainerRecords } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { mountPoint } from './inspect-mounts.js'
import { networkEndpoints } from './inspect-network.js'
import { cgroupOf, isFrozen, summaryOf } from './state.js'
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
  /** Of one that is up: only the kernel knows whether it is paused. */
  cgroup: Cgroup | undefined
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
    if (known?.networks === networks && !isOther(known)) return known.listing
    const listing = listingOf(this.context, records)
    const cgroup = isUp(listing.summary) ? cgroupOf(this.context, records.config) : undefined
    this.#known.set(records, { listing, networks, cgroup })
    return listing
  }
}

const isUp = ({ state }: Readonly<ContainerSummary>): boolean => state === 'running' || state === 'paused'

const isOther = ({ listing, cgroup }: Known): boolean =>
  cgroup !== undefined && isFrozen(cgroup) !== (listing.summary.state === 'paused')

function listingOf(context: EngineContext, records: ContainerRecords): ContainerListing {
  const { config } = records
  const summary = summaryOf(context, config, records)
  return {
    summary,
    mounts: config.mounts.map((mount) => mountPoint(context, mount)),
    networks: networkEndpoints(context, config, isUp(summary)),
  }
}
