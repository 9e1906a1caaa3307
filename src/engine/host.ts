import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Host } from '../runtime/index.js'

/** What plans need to know of this host and process. Read at every use: capabilities can be dropped meanwhile. */
export function readHost(): Host {
  return { processStatus: readFileSync('/proc/self/status', 'utf8'), arch: process.arch, kernelRelease: release() }
}
