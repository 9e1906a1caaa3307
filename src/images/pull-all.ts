import { isJubakoError, JubakoError } from '../errors/index.js'
import { familiarName, type Reference } from '../oci/index.js'
import type { Repository } from '../registry/index.js'
import { reportLine } from './progress.js'
import type { OnProgress, PullOptions, PullResult } from './types.js'

/**
 * Pulls every tag of a repository, one after the other. Tags of other platforms or of what is no image are left out, as
 * Docker does.
 */
export async function pullAllTags(
  repository: Repository,
  name: Reference,
  options: PullOptions,
  pull: (reference: Reference, options: PullOptions) => Promise<PullResult>,
): Promise<PullResult[]> {
  const { onProgress } = options
  // Docker tells the state of the whole once, at the end.
  const each: OnProgress | undefined =
    onProgress && ((event) => event.status.startsWith('Status: ') || onProgress(event))
  const results: PullResult[] = []
  let skipped: unknown
  for await (const tag of repository.tags({ signal: options.signal })) {
    try {
      results.push(await pull({ ...name, tag }, { ...options, onProgress: each }))
    } catch (error) {
      if (!isJubakoError(error, 'ERR_JUBAKO_UNSUPPORTED', 'ERR_JUBAKO_NOT_FOUND')) throw error
      skipped = error
      reportLine(onProgress, `${tag}: left out: ${(error as Error).message}`)
    }
  }
  if (results.length === 0) {
    if (skipped !== undefined) throw skipped
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `repository ${familiarName(name)} has no tags`)
  }
  const words = results.some(({ updated }) => updated) ? 'Downloaded newer image' : 'Image is up to date'
  reportLine(onProgress, `Status: ${words} for ${familiarName(name)}`)
  return results
}
