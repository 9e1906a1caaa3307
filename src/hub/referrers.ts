import { type Digest, digestAlgorithm, digestHex, isDigest, OCI_INDEX } from '../oci/index.js'
import type { Documents } from './documents.js'
import { parseDocument } from './manifests.js'
import type { RepositoryStore, StoredManifest } from './repositories.js'

/**
 * What refers to a manifest: manifests that name it as their subject, and the list that clients which know no referrers keep
 * under the tag `<algorithm>-<hex>` (distribution-spec, "Referrers Tag Schema").
 */
export async function allReferrers(
  parts: { repositories: RepositoryStore; documents: Documents },
  name: string,
  subject: Digest,
): Promise<StoredManifest[]> {
  const { repositories, documents } = parts
  const found = await repositories.referrers(name, subject)
  const list = await repositories.tag(name, `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`)
  const manifest = list === undefined ? undefined : await repositories.manifest(name, list)
  if (manifest?.mediaType !== OCI_INDEX) return found
  const { manifests } = parseDocument(await documents.read(manifest.digest))
  if (!Array.isArray(manifests)) return found
  for (const entry of manifests as Partial<StoredManifest>[]) {
    const { digest, mediaType, size } = entry
    if (!isDigest(digest) || typeof mediaType !== 'string' || typeof size !== 'number') continue
    if (found.some((it) => it.digest === digest) || (await repositories.manifest(name, digest)) === undefined) continue
    found.push(entry as StoredManifest)
  }
  return found
}
