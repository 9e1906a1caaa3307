import type { ContentStore } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import {
  type Descriptor,
  type Digest,
  documentKind,
  familiarReference,
  formatPlatform,
  hostPlatform,
  type Index,
  isImageConfig,
  LIMITS,
  type Manifest,
  type Platform,
  parseImageConfig,
  parseManifest,
  parsePlatform,
  parseReference,
  platformMatches,
  selectManifests,
} from '../oci/index.js'
import { readDocument } from './document.js'
import type { ReferenceRecord } from './records.js'

export interface StoredDocument {
  descriptor: Descriptor
  document: Manifest | Index
}

/** What goes out for a name. */
export interface Chosen {
  target: Descriptor
  /** Documents to send with what they name, innermost first; the last one is the target. */
  documents: StoredDocument[]
  /** The manifest of the platform that the name's image has here. */
  own: Digest
  /** False when the name stands for an index and one of its manifests goes out in its place. */
  whole: boolean
  /** A line for the person about that. */
  note?: string
}

/**
 * Decides whether a name goes out as the index that it stands for, or as the manifest of one platform: an index only
 * when everything it leads to is here, or is where it goes.
 *
 * @param isThere whether the destination has a manifest or index
 * @throws JubakoError `ERR_JUBAKO_NOT_FOUND` without the platform asked for
 */
export async function chooseDocuments(
  content: ContentStore,
  record: ReferenceRecord,
  platform: string | Platform | undefined,
  isThere: (document: Descriptor) => Promise<boolean>,
): Promise<Chosen> {
  const what = familiarReference(parseReference(record.reference))
  const target = await stored(content, record.target, what)
  if (platform !== undefined) return choosePlatform(content, record, target, platform, what)
  if (target.document.kind === 'manifest')
    return { target: target.descriptor, documents: [target], own: record.manifest, whole: true }
  const documents: StoredDocument[] = []
  if (await collectDocuments(content, target, what, isThere, documents)) {
    return { target: target.descriptor, documents, own: record.manifest, whole: true }
  }
  const own = await ownManifest(content, record, what)
  const note = `Not all multiplatform-content is present and only the available single-platform image was pushed\n${record.target.digest} -> ${own.descriptor.digest}`
  return { target: own.descriptor, documents: [own], own: record.manifest, whole: false, note }
}

async function choosePlatform(
  content: ContentStore,
  record: ReferenceRecord,
  target: StoredDocument,
  platform: string | Platform,
  what: string,
): Promise<Chosen> {
  const wanted = typeof platform === 'string' ? parsePlatform(platform, hostPlatform()) : platform
  const offered =
    target.document.kind === 'index'
      ? selectManifests(target.document, wanted).filter(({ digest }) => content.has(digest))
      : [target.descriptor]
  for (const descriptor of [...offered, (await ownManifest(content, record, what)).descriptor]) {
    const one = await stored(content, descriptor, what)
    if (one.document.kind !== 'manifest' || !(await fits(content, one.document, wanted))) continue
    return {
      target: descriptor,
      documents: [one],
      own: descriptor.digest,
      whole: descriptor.digest === record.target.digest,
    }
  }
  throw new JubakoError(
    'ERR_JUBAKO_NOT_FOUND',
    `image with reference ${what} was found but does not provide the specified platform (${formatPlatform(wanted)})`,
    { path: what, hint: `pull it for that platform first` },
  )
}

async function fits(content: ContentStore, manifest: Manifest, wanted: Platform): Promise<boolean> {
  const { config, layers } = manifest
  if (!isImageConfig(config.mediaType) || ![config, ...layers].every(({ digest }) => content.has(digest))) return false
  const parsed = parseImageConfig(
    await content.read(config.digest, LIMITS.configBytes),
    `configuration ${config.digest}`,
  )
  return platformMatches(wanted, parsed.platform)
}

/** @returns false when something is neither here nor there */
async function collectDocuments(
  content: ContentStore,
  index: StoredDocument,
  what: string,
  isThere: (document: Descriptor) => Promise<boolean>,
  found: StoredDocument[],
): Promise<boolean> {
  for (const entry of index.document.kind === 'index' ? index.document.manifests : []) {
    const here = content.has(entry.digest) && documentKind(entry.mediaType) !== undefined
    const one = here ? await stored(content, entry, what) : undefined
    if (one?.document.kind === 'index') {
      if (!(await collectDocuments(content, one, what, isThere, found))) return false
    } else if (one?.document.kind === 'manifest' && isComplete(content, one.document)) found.push(one)
    else if (!(await isThere(entry))) return false
  }
  found.push(index)
  return true
}

function isComplete(content: ContentStore, { config, layers }: Manifest): boolean {
  return [config, ...layers].every(({ digest }) => content.has(digest))
}

async function stored(content: ContentStore, descriptor: Descriptor, what: string): Promise<StoredDocument> {
  return { descriptor, document: await readDocument(content, descriptor, what) }
}

/** The manifest that the name's image was made from. */
async function ownManifest(content: ContentStore, record: ReferenceRecord, what: string): Promise<StoredDocument> {
  const bytes = await content.read(record.manifest, LIMITS.manifestBytes)
  const document = parseManifest(bytes, undefined, what)
  return { descriptor: { mediaType: document.mediaType, digest: record.manifest, size: bytes.length }, document }
}
