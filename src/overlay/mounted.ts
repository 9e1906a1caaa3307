import { invalidArgument } from '../errors/index.js'
import { mountOverlay as mount, unmount } from '../native/index.js'
import type { Mount } from './mount.js'

/** An overlay on a directory of this process's mount namespace. */
export interface MountedOverlay extends AsyncDisposable {
  readonly target: string
  /** Takes it away; what is still open in it works on until it is closed. A second call does nothing. */
  unmount(): Promise<void>
}

/**
 * Mounts an overlay for the calling process to use. Containers need none of this: theirs are made in their own namespace.
 *
 * @param target absolute path of a directory
 * @throws JubakoError `ERR_JUBAKO_SYSTEM` with the kernel's reason, `ERR_JUBAKO_UNSUPPORTED` before Linux 6.5
 *
 * @example
 * await using root = await mountOverlay(overlay({ lowers: ['/layers/b', '/layers/a'] }), '/mnt/root')
 */
export async function mountOverlay(overlay: Mount, target: string): Promise<MountedOverlay> {
  if (!target.startsWith('/')) throw invalidArgument(`'${target}' is not an absolute path`)
  const { lowers, upper, work, options } = overlay
  await mount({ lowers, upper, work, options, target })
  let gone: Promise<void> | undefined
  const away = (): Promise<void> => {
    const going = gone ?? unmount(target)
    gone = going
    return going
  }
  return { target, unmount: away, [Symbol.asyncDispose]: away }
}
