import type { IdRange, MountOption } from '../../engine/types.js'

const RANGE = /^(\d+)-(\d+)-(\d+)$/

function ranges(text: string, whole: string): IdRange[] {
  return text.split('#').map((part) => {
    const match = RANGE.exec(part)
    if (match === null) throw new Error(`invalid idmap '${whole}' (uids=<disk>-<shown>-<count>[#...];gids=...)`)
    const [id, as, count] = match.slice(1).map(Number) as [number, number, number]
    return { id, as, count }
  })
}

/**
 * Podman's `idmap` option: `uids=1000-0-1#1001-1001-10;gids=1000-0-1`; each triple is the first id on the disk, what it is
 * shown as, and how many. Empty: every id is shown as it is.
 */
export function parseIdMap(text: string): NonNullable<MountOption['idmap']> {
  const map: NonNullable<MountOption['idmap']> = { uids: [], gids: [] }
  for (const part of text.split(';').filter((it) => it !== '')) {
    const [key, value = ''] = part.split('=', 2) as [string, string?]
    if (key !== 'uids' && key !== 'gids') throw new Error(`invalid idmap '${text}' (known are uids and gids)`)
    map[key] = ranges(value, text)
  }
  return map
}
