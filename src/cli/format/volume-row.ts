import type { VolumeSummary } from '../../engine/types.js'
import type { ListStyle } from './list.js'

/** `volume ls`. */
export const volumeStyle: ListStyle = {
  typeName: '*formatter.volumeContext',
  table: '{{.Driver}}\t{{.Name}}',
  headings: {
    Availability: 'AVAILABILITY',
    Driver: 'DRIVER',
    Group: 'GROUP',
    Labels: 'LABELS',
    Links: 'LINKS',
    Mountpoint: 'MOUNTPOINT',
    Name: 'VOLUME NAME',
    Scope: 'SCOPE',
    Size: 'SIZE',
    Status: 'STATUS',
  },
}

export function volumeRow({ name, driver, mountpoint, labels }: VolumeSummary): Record<string, unknown> {
  return {
    Availability: 'N/A',
    Driver: driver,
    Group: 'N/A',
    Label: (key: string) => labels[key] ?? '',
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Links: 'N/A',
    Mountpoint: mountpoint,
    Name: name,
    Scope: 'local',
    Size: 'N/A',
    Status: 'N/A',
  }
}
