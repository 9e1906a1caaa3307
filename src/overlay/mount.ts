import { invalidArgument } from '../errors/index.js'

/** A root file system, decided: the whole seam between layers and processes. */
export interface Mount {
  type: 'overlay'
  /** Absolute directories, topmost first. At least one, at most 500 (OVL_MAX_STACK). */
  lowers: readonly string[]
  /** Writable layer; null: read-only. */
  upper: string | null
  /** Empty directory on the upper's file system. */
  work: string | null
  /** Further overlayfs options. */
  options: readonly string[]
}

export interface OverlayOptions {
  /** Absolute directories, topmost first. */
  lowers: readonly string[]
  upper?: string
  /** Default: none without `upper`. */
  work?: string
  /**
   * Do not sync the upper layer to the disk when the mount goes: for layers that are thrown away
   * (Documentation/filesystems/overlayfs.rst, "Volatile mount"). Default false.
   */
  volatile?: boolean
}

const maxLowers = 500

/**
 * Decides an overlay mount; nothing is mounted by this.
 *
 * @throws JubakoError `ERR_JUBAKO_INVALID_ARGUMENT` for a relative path, too many layers or an upper without a work directory
 */
export function overlay(options: OverlayOptions): Mount {
  const { lowers, upper, work } = options
  if (lowers.length === 0) throw invalidArgument('an overlay needs at least one lower directory')
  if (lowers.length > maxLowers) {
    throw invalidArgument(`${lowers.length} layers are more than the ${maxLowers} that overlayfs takes`, {
      hint: 'build the image with fewer layers',
    })
  }
  if ((upper === undefined) !== (work === undefined)) throw invalidArgument('upper and work belong together')
  for (const path of [...lowers, ...(upper === undefined ? [] : [upper, work!])]) {
    if (!path.startsWith('/')) throw invalidArgument(`'${path}' is not an absolute path`)
  }
  return {
    type: 'overlay',
    lowers,
    upper: upper ?? null,
    work: work ?? null,
    options: upper !== undefined && options.volatile ? ['volatile'] : [],
  }
}
