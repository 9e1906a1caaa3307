import { addon } from './addon.js'
import { isNativeFailure, nativeError } from './failure.js'

/** Protocols of netlink(7). */
export const Netlink = { route: 0, netfilter: 12 } as const

/**
 * Sends netlink messages in the network namespace of this process and returns the kernel's answers, one after the other.
 *
 * @param what named in an error
 * @param tolerated errnos that are no error
 * @throws JubakoError ERR_JUBAKO_SYSTEM
 */
export function netlink(
  protocol: number,
  what: string,
  messages: Uint8Array,
  tolerated: readonly number[] = [],
): Buffer {
  try {
    return addon().netlink(protocol, what, messages, Int32Array.from(tolerated))
  } catch (error) {
    throw isNativeFailure(error) ? nativeError(error, what) : error
  }
}

/** Index of a network link of this process's namespace, 0 if there is none of that name. */
export function linkIndex(name: string): number {
  try {
    return addon().linkIndex(name)
  } catch (error) {
    throw isNativeFailure(error) ? nativeError(error, name) : error
  }
}
