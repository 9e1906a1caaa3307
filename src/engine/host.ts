import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Host } from '../runtime/index.js'

let host: Host | undefined

/** What plans need to know of this host and process. Read once: nobody drops capabilities of a program that runs containers. */
export function readHost(): Host {
  host ??= { processStatus: readFileSync('/proc/self/status', 'utf8'), arch: process.arch, kernelRelease: release() }
  return host
}
