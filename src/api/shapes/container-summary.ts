import { humanDuration } from '../../engine/duration.js'
import type { ContainerListing } from '../../engine/listing.js'
import type { ContainerSummary } from '../../engine/types.js'

const healthText = ({ health }: ContainerSummary): string =>
  health === null ? '' : ` (${health === 'starting' ? 'health: starting' : health})`

/** `Up 3 seconds`, `Exited (137) 2 minutes ago`, `Created`, ... */
export function statusText(container: ContainerSummary, now: number): string {
  const since = (then: number | null): string => humanDuration(now - (then ?? now))
  switch (container.state) {
    case 'running':
      return `Up ${since(container.startedAt)}${healthText(container)}`
    case 'paused':
      return `Up ${since(container.startedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${container.exitCode ?? 0}) ${since(container.finishedAt)} ago`
    case 'exited':
      return `Exited (${container.exitCode ?? 0}) ${since(container.finishedAt)} ago`
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
    case 'created':
      return 'Created'
  }
}

/** What comes before the status, in docker's order. */
const beforeStatus = ({ summary: container }: ContainerListing) => ({
  Id: container.id,
  Names: [`/${container.name}`],
  Image: container.image,
  ImageID: container.imageId,
  Command: container.command.map((word, at) => (at > 0 && word.includes(' ') ? `'${word}'` : word)).join(' '),
  Created: Math.floor(container.createdAt / 1000),
  Ports: container.ports.map(({ port, protocol, hostAddress, hostPort }) => ({
    ...(hostAddress !== undefined && { IP: hostAddress }),
    PrivatePort: port,
    ...(hostPort !== undefined && { PublicPort: hostPort }),
    Type: protocol,
  })),
  Labels: container.labels,
  State: container.state,
})

const afterStatus = ({ summary, mounts, networks }: ContainerListing) => ({
  HostConfig: { NetworkMode: summary.networks[0] ?? 'none' },
  NetworkSettings: { Networks: networks },
  Mounts: mounts,
})

/** One element of `GET /containers/json`. */
export function containerSummary(listing: ContainerListing, now: number): Record<string, unknown> {
  return { ...beforeStatus(listing), Status: statusText(listing.summary, now), ...afterStatus(listing) }
}

const texts = new WeakMap<ContainerListing, { before: string; after: string }>()

/** The same as JSON. Only the status changes with time; the rest is kept as long as the listing is. */
export function containerSummaryText(listing: ContainerListing, now: number): string {
  let text = texts.get(listing)
  if (text === undefined) {
    const [before, after] = [beforeStatus(listing), afterStatus(listing)].map((it) => JSON.stringify(it))
    text = { before: before!.slice(0, -1), after: after!.slice(1) }
    texts.set(listing, text)
  }
  return `${text.before},"Status":${JSON.stringify(statusText(listing.summary, now))},${text.after}`
}
