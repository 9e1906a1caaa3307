import { invalidArgument } from '../errors/index.js'
import type { CgroupPlacement } from './types.js'

/**
 * The parent's path below the hierarchy's root, normalised: `/a/b`.
 *
 * @throws {@link JubakoError} ERR_JUBAKO_INVALID_ARGUMENT for a path that leaves the hierarchy or is no path.
 */
export function parentPath(placement: CgroupPlacement | undefined): string {
  const parent = placement?.parent ?? '/jubako'
  const names = parent.split('/').filter((name) => name !== '' && name !== '.')
  if (names.length === 0 || names.includes('..') || /[\0\n]/.test(parent))
    throw invalidArgument(`invalid cgroup parent ${JSON.stringify(parent)}`, {
      hint: 'give an absolute path such as /jubako, below the root of the cgroup hierarchy',
    })
  return `/${names.join('/')}`
}

/** An id becomes a directory's name. */
export function checkId(id: string): string {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(id))
    throw invalidArgument(`invalid container id ${JSON.stringify(id)}`)
  return id
}

/** `/a`, `/a/b` and `/a/b/c` of `/a/b/c`. */
export function ancestry(path: string): string[] {
  const names = path.split('/').slice(1)
  return names.map((_, i) => `/${names.slice(0, i + 1).join('/')}`)
}
