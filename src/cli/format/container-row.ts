import { humanDuration } from '../../engine/duration.js'
import type { ContainerSummary } from '../../engine/types.js'
import { quote } from '../template/printf.js'
import type { ListStyle } from './list.js'
import { portsText } from './ports.js'
import { ellipsis, humanSize, localTime, shortId } from './units.js'

/** `ps`. */
export function containerStyle(size: boolean): ListStyle {
  return {
    typeName: '*formatter.ContainerContext',
    table: `{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}${size ? '\t{{.Size}}' : ''}`,
    headings: {
      ID: 'CONTAINER ID',
      Names: 'NAMES',
      Image: 'IMAGE',
      Command: 'COMMAND',
      CreatedAt: 'CREATED AT',
      RunningFor: 'CREATED',
      Ports: 'PORTS',
      State: 'STATE',
      Status: 'STATUS',
      Size: 'SIZE',
      Labels: 'LABELS',
      Mounts: 'MOUNTS',
      LocalVolumes: 'LOCAL VOLUMES',
      Networks: 'NETWORKS',
      Platform: 'PLATFORM',
    },
  }
}

/** Bytes a container wrote, and with its image. */
export interface ContainerSize {
  written: number
  total: number
}

/** The fields of one row of `ps`. */
export function containerRow(
  container: ContainerSummary,
  options: { now: number; truncate: boolean; size?: ContainerSize | undefined },
): Record<string, unknown> {
  const { now, truncate, size } = options
  const command = commandText(container.command)
  const labels = Object.entries(container.labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    Command: quote(truncate ? ellipsis(command, 20) : command),
    // Few ask for it, and the first name of a time zone takes milliseconds.
    get CreatedAt() {
      return localTime(container.createdAt)
    },
    ID: truncate ? shortId(container.id) : container.id,
    Image: container.image === '' ? '<no image>' : container.image,
    Label: (name: string) => (Object.hasOwn(container.labels, name) ? container.labels[name] : ''),
    Labels: labels.map(([key, value]) => `${key}=${value}`).join(','),
    LocalVolumes: String(container.localVolumes),
    Mounts: container.mounts.map((mount) => (truncate ? ellipsis(mount, 15) : mount)).join(','),
    Names: container.name,
    Networks: container.networks.join(','),
    Platform: null,
    Ports: portsText(container.ports),
    RunningFor: `${humanDuration(now - container.createdAt)} ago`,
    Size: size === undefined ? '0B' : `${humanSize(size.written)} (virtual ${humanSize(size.total)})`,
    State: container.state,
    Status: statusText(container, now),
  }
}

/** The command as one line; arguments with spaces are quoted. */
export function commandText(command: readonly string[]): string {
  return command.map((arg, at) => (at > 0 && arg.includes(' ') ? `'${arg}'` : arg)).join(' ')
}

const healthText = (health: ContainerSummary['health']): string =>
  health === null ? '' : health === 'starting' ? ' (health: starting)' : ` (${health})`

/** `Up 3 seconds`, `Exited (137) 2 minutes ago`, `Created`, ... */
export function statusText(container: ContainerSummary, now: number): string {
  const ago = (then: number | null): string => humanDuration(now - (then ?? now))
  switch (container.state) {
    case 'running':
      return `Up ${ago(container.startedAt)}${healthText(container.health)}`
    case 'paused':
      return `Up ${ago(container.startedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${container.exitCode ?? 0}) ${ago(container.finishedAt)} ago`
    case 'removing':
      return 'Removal In Progress'
    case 'exited':
      return container.finishedAt === null ? '' : `Exited (${container.exitCode ?? 0}) ${ago(container.finishedAt)} ago`
    case 'dead':
      return 'Dead'
    case 'created':
      return 'Created'
  }
}
