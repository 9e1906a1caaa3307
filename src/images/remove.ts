import { JubakoError } from '../errors/index.js'
import {
  familiarName,
  familiarReference,
  formatReference,
  type ImageId,
  parseReference,
  repositoryName,
  shortDigest,
} from '../oci/index.js'
import type { Records, ReferenceRecord } from './records.js'
import type { Found } from './resolve.js'
import type { ImageUser, RemovedImage, RemoveOptions } from './types.js'

/**
 * Takes names off an image, and its record when none is left, by Docker's rules. What it needed is collected by the
 * caller.
 *
 * @param asked what the person wrote
 * @returns Docker's lines so far
 * @throws JubakoError `ERR_JUBAKO_CONFLICT` when it is in use, in Docker's words
 */
export async function removeImage(
  records: Records,
  found: Found,
  asked: string,
  options: RemoveOptions,
): Promise<RemovedImage[]> {
  const { imageId } = found.image
  const names = records.references().filter((record) => record.imageId === imageId)
  const users = options.inUse?.(imageId) ?? []
  if (found.reference === undefined) {
    checkRemovalById(imageId, names, users, options)
    const removed = await untag(records, names, [])
    await records.removeImage(imageId)
    return [...removed, { deleted: imageId }]
  }
  const going = namesThatGo(found.reference, names)
  const last = going.length === names.length
  if (last) checkRemovalByName(asked, imageId, users, options)
  const removed = await untag(
    records,
    going,
    names.filter((name) => !going.includes(name)),
  )
  if (!last) return removed
  await records.removeImage(imageId)
  return [...removed, { deleted: imageId }]
}

/** A name's digests go with its last tag. */
function namesThatGo(reference: ReferenceRecord, names: ReferenceRecord[]): ReferenceRecord[] {
  const repository = repositoryOf(reference)
  const others = names.filter(
    (record) => record.reference !== reference.reference && repositoryOf(record) === repository,
  )
  const tagged = others.some((record) => parseReference(record.reference).tag !== undefined)
  return tagged ? [reference] : [reference, ...others]
}

function checkRemovalByName(asked: string, id: ImageId, users: ImageUser[], options: RemoveOptions): void {
  const user = users.find((one) => one.running) ?? (options.force ? undefined : users[0])
  if (user === undefined) return
  if (options.force) throw runningConflict(id, user)
  throw conflict(
    `conflict: unable to remove repository reference ${JSON.stringify(asked)} (must force) - container ${short(user.id)} is using its referenced image ${shortDigest(id)}`,
    'remove the container first, or use force',
  )
}

function checkRemovalById(id: ImageId, names: ReferenceRecord[], users: ImageUser[], options: RemoveOptions): void {
  const running = users.find((user) => user.running)
  if (running !== undefined) throw runningConflict(id, running)
  if (options.force) return
  if (new Set(names.map(repositoryOf)).size > 1 || names.filter(isTagged).length > 1) {
    throw conflict(
      `conflict: unable to delete ${shortDigest(id)} (must be forced) - image is referenced in multiple repositories`,
      'remove its names one by one, or use force',
    )
  }
  const [stopped] = users
  if (stopped !== undefined) {
    throw conflict(
      `conflict: unable to delete ${shortDigest(id)} (must be forced) - image is being used by stopped container ${short(stopped.id)}`,
      'remove the container first, or use force',
    )
  }
}

function runningConflict(id: ImageId, user: ImageUser): JubakoError {
  return conflict(
    `conflict: unable to delete ${shortDigest(id)} (cannot be forced) - image is being used by running container ${short(user.id)}`,
    'stop the container first',
  )
}

/** @param staying names that the image keeps: what is theirs too is not untagged */
async function untag(records: Records, names: ReferenceRecord[], staying: ReferenceRecord[]): Promise<RemovedImage[]> {
  const removed: RemovedImage[] = []
  for (const record of names) {
    await records.removeReference(record.reference)
    removed.push({ untagged: familiarReference(parseReference(record.reference)) })
  }
  const kept = new Set(staying.flatMap(repoDigestName))
  const digests = names.flatMap(repoDigestName).filter((name) => !kept.has(name))
  return [
    ...removed,
    ...[...new Set(digests)]
      .filter((name) => !removed.some((r) => 'untagged' in r && r.untagged === name))
      .map((untagged) => ({ untagged })),
  ]
}

/** `name@digest` of a name that a registry gave. */
export function repoDigestName(record: ReferenceRecord): string[] {
  if (record.repoDigest === undefined) return []
  return [`${familiarName(parseReference(record.reference))}@${record.repoDigest}`]
}

function repositoryOf(record: ReferenceRecord): string {
  return repositoryName(parseReference(record.reference))
}

function isTagged(record: ReferenceRecord): boolean {
  return parseReference(record.reference).tag !== undefined
}

/** The name under which a moved tag's former image stays. */
export function digestReference(record: ReferenceRecord): ReferenceRecord | undefined {
  if (record.repoDigest === undefined) return undefined
  const { domain, path } = parseReference(record.reference)
  return { ...record, reference: formatReference({ domain, path, digest: record.repoDigest }) }
}

function short(id: string): string {
  return id.slice(0, 12)
}

function conflict(message: string, hint: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_CONFLICT', message, { hint })
}
