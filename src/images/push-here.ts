import type { ContentStore } from '../content/index.js'
import {
  type Digest,
  formatReference,
  isImageConfig,
  LIMITS,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Reference,
  repositoryName,
} from '../oci/index.js'
import { LayerProgress, reportLine } from './progress.js'
import { recordsOf } from './push.js'
import type { Records } from './records.js'
import { servedTarget } from './served.js'
import type { PushedImage, PushOptions } from './types.js'

/**
 * A push into the registry that serves this very store: what the name stands for is there already, whatever its size, so
 * nothing is sent.
 *
 * @returns undefined when archives have to be made first: then it is a push like any other
 */
export async function pushHere(
  parts: { content: ContentStore; records: Records },
  reference: Reference,
  options: PushOptions,
): Promise<PushedImage[] | undefined> {
  const { content, records } = parts
  const found = recordsOf(records, reference, options.allTags ?? false)
  const targets = found.map((record) => servedTarget(content, records, record))
  if (targets.includes(undefined)) return undefined
  reportLine(options.onProgress, `The push refers to repository [${repositoryName(reference)}]`)
  const pushed: PushedImage[] = []
  for (const [i, record] of found.entries()) {
    const { digest, size } = targets[i]!
    for (const id of await shownLayers(content, record.manifest)) {
      new LayerProgress(id, options.onProgress).status('Layer already exists')
    }
    if (record.repoDigest !== digest) await records.writeReference({ ...record, repoDigest: digest })
    reportLine(options.onProgress, `${parseReference(record.reference).tag}: digest: ${digest} size: ${size}`)
    pushed.push({ reference: formatReference(parseReference(record.reference)), digest, size })
  }
  return pushed
}

/** Topmost first, by diffID, as Docker names them. */
async function shownLayers(content: ContentStore, digest: Digest): Promise<Digest[]> {
  const manifest = parseManifest(await content.read(digest, LIMITS.manifestBytes), undefined, digest)
  if (manifest.kind !== 'manifest' || !isImageConfig(manifest.config.mediaType)) return []
  const config = await content.read(manifest.config.digest, LIMITS.configBytes)
  return [...parseImageConfig(config, `configuration ${manifest.config.digest}`).diffIds].reverse()
}
