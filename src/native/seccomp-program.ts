import { type SeccompHost, seccompCacheKey } from '../oci/seccomp.js'
import { defaultSeccompRules } from '../oci/seccomp-default.js'
import { parseSeccompProfile } from '../oci/seccomp-profile.js'
import { assembleSeccomp } from './seccomp.js'

/** By profile text and host. A process uses few profiles. */
const programs = new Map<string, Buffer>()

/**
 * The program of a profile for a host; assembled once per process.
 *
 * @param profile JSON text in Docker's format; null: the built-in profile.
 * @throws {@link JubakoError} for a malformed profile or an architecture without a table.
 */
export function seccompProgram(profile: string | null, host: SeccompHost): Buffer {
  const key = `${seccompCacheKey(host, null)} ${profile ?? ''}`
  const known = programs.get(key)
  if (known !== undefined) return known
  const rules = profile === null ? defaultSeccompRules(host) : parseSeccompProfile(profile, host)
  const program = assembleSeccomp(rules)
  programs.set(key, program)
  return program
}
