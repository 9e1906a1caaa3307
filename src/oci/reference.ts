import { JubakoError } from '../errors/index.js'
import { type Digest, digestProblem } from './digest.js'

/**
 * An image reference in canonical form. Grammar and normalisation are those of the `distribution/reference` project,
 * which Docker uses: `[domain/]path[:tag][@digest]`.
 */
export interface Reference {
  /** Registry host with port, for example `docker.io` or `localhost:5000`. */
  domain: string
  /** Repository in the registry, for example `library/debian`. */
  path: string
  tag?: string
  digest?: Digest
}

const DEFAULT_DOMAIN = 'docker.io'
const LEGACY_DOMAIN = 'index.docker.io'
const OFFICIAL = 'library/'
const DEFAULT_TAG = 'latest'
const NAME_LIMIT = 255

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const PATH = `${COMPONENT}(?:/${COMPONENT})*`
const LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const DOMAIN = `(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`
const TAG = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}'
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}'

const REFERENCE = new RegExp(`^(${DOMAIN})/(${PATH})(?::(${TAG}))?(?:@(${DIGEST}))?$`)
const IDENTIFIER = /^[a-f0-9]{64}$/

/**
 * Parses what a person types. The result has no tag when none was said; see {@link withDefaultTag}.
 *
 * @throws JubakoError `ERR_JUBAKO_INVALID_REFERENCE` in Docker's words
 */
export function parseReference(text: string): Reference {
  if (IDENTIFIER.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`, text)
  }
  // Longer than any valid reference: spares the expression below from hostile input.
  if (text.length > 2048) throw invalid('invalid reference format', text.slice(0, 64))
  const [domain, remainder] = splitDomain(text)
  const upToColon = remainder.split(':', 1)[0]!
  if (upToColon.toLowerCase() !== upToColon) {
    throw invalid(`invalid reference format: repository name (${upToColon}) must be lowercase`, text)
  }
  const match = REFERENCE.exec(`${domain}/${remainder}`)
  if (match === null) throw invalid('invalid reference format', text)
  const [, , path, tag, digest] = match as unknown as [string, string, string, string?, string?]
  if (path.length > NAME_LIMIT) {
    throw invalid(`repository name must not be more than ${NAME_LIMIT} characters`, text)
  }
  const problem = digest === undefined ? undefined : digestProblem(digest)
  if (problem !== undefined) throw invalid(problem, text)
  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: digest as Digest }),
  }
}

function splitDomain(text: string): [domain: string, remainder: string] {
  const slash = text.indexOf('/')
  const first = slash < 0 ? '' : text.slice(0, slash)
  const namesHost = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first
  const domain = !namesHost || first === LEGACY_DOMAIN ? DEFAULT_DOMAIN : first
  const remainder = namesHost ? text.slice(slash + 1) : text
  return [domain, domain === DEFAULT_DOMAIN && !remainder.includes('/') ? OFFICIAL + remainder : remainder]
}

/** Adds `latest` when the reference has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference
}

/** What identifies the image when both are given: the digest (Docker drops the tag then). */
export function favorDigest(reference: Reference): Reference {
  if (reference.digest === undefined || reference.tag === undefined) return reference
  return { domain: reference.domain, path: reference.path, digest: reference.digest }
}

/** Canonical text, for example `docker.io/library/debian:12`. */
export function formatReference(reference: Reference): string {
  return `${repositoryName(reference)}${suffix(reference)}`
}

/** As Docker shows it: without `docker.io/` and `library/`. */
export function familiarReference(reference: Reference): string {
  return `${familiarName(reference)}${suffix(reference)}`
}

/** Canonical name without tag and digest. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`
}

export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryName(reference)
  const { path } = reference
  const short = path.startsWith(OFFICIAL) ? path.slice(OFFICIAL.length) : path
  return short.includes('/') ? path : short
}

function suffix(reference: Reference): string {
  return `${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`
}

/** Whether `text` is a valid tag (without the colon). */
export function isTag(text: string): boolean {
  return new RegExp(`^${TAG}$`).test(text)
}

function invalid(message: string, text: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_INVALID_REFERENCE', message, {
    path: text,
    hint: 'write an image as [registry/]name[:tag][@sha256:digest]',
  })
}
