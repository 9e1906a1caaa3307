import type { ContainerRecords } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { mountPoint } from './inspect-mounts.js'
import { networkEndpoints } from './inspect-network.js'
import { summaryOf } from './state.js'
import type { ContainerSummary } from './types.js'

/** A container as `GET /containers/json` tells of it. */
export interface ContainerListing {
  summary: ContainerSummary
  /** Docker's MountPoint objects. */
  mounts: Record<string, unknown>[]
  /** Docker's EndpointSettings objects by the network's name. */
  networks: Record<string, unknown>
}

export function listingOf(context: EngineContext, records: ContainerRecords): ContainerListing {
  const { config } = records
  const summary = summaryOf(context, config, records)
  const up = summary.state === 'running' || summary.state === 'paused'
  return {
    summary,
    mounts: config.mounts.map((mount) => mountPoint(context, mount)),
    networks: networkEndpoints(context, config, up),
  }
}
