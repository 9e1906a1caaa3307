import { createHash, type Hash } from 'node:crypto'
import { JubakoError } from '../errors/index.js'

/** Digest of stored bytes, `<algorithm>:<hex>` (image-spec, "Digests"). Only values that passed {@link parseDigest}. */
export type Digest = string & { readonly __digest: true }
/** Digest of a layer's uncompressed tar stream (image-spec, "Layer DiffID"). */
export type DiffId = Digest & { readonly __diffId: true }
/** Digest that names a stack of layers (image-spec, "Layer ChainID"). */
export type ChainId = Digest & { readonly __chainId: true }
/** Digest of an image's configuration (image-spec, "ImageID"). */
export type ImageId = Digest & { readonly __imageId: true }

/** Registered algorithms that are accepted, with the length of their hex form. */
const HEX_LENGTH = { sha256: 64, sha512: 128 } as const

export type DigestAlgorithm = keyof typeof HEX_LENGTH

const GRAMMAR = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/

/** Why `value` is not an acceptable digest, in Docker's words, or undefined when it is one. */
export function digestProblem(value: string): string | undefined {
  const match = GRAMMAR.exec(value)
  if (match === null) return 'invalid checksum digest format'
  const [, algorithm, encoded] = match as unknown as [string, string, string]
  if (!isAlgorithm(algorithm)) return 'unsupported digest algorithm'
  if (encoded.length !== HEX_LENGTH[algorithm]) return 'invalid checksum digest length'
  return /^[a-f0-9]+$/.test(encoded) ? undefined : 'invalid checksum digest format'
}

const SHA256 = /^sha256:[a-f0-9]{64}$/

export function isDigest(value: unknown): value is Digest {
  // Nearly all are of this kind, and lists of images ask thousands of times.
  if (typeof value === 'string' && SHA256.test(value)) return true
  return typeof value === 'string' && value.length <= 256 && digestProblem(value) === undefined
}

/**
 * Validates a digest. What it returns is safe as a part of a path.
 *
 * @throws JubakoError `ERR_JUBAKO_INTEGRITY` that names the value (image-spec, "Digests").
 */
export function parseDigest(value: unknown, what = 'digest'): Digest {
  if (isDigest(value)) return value
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 160)) : typeof value
  const reason = typeof value === 'string' ? (digestProblem(value.slice(0, 257)) ?? 'too long') : 'not a string'
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `invalid ${what} ${shown}: ${reason}`)
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** The first 12 hex digits: how Docker shows layers and images. */
export function shortDigest(digest: Digest): string {
  return digestHex(digest).slice(0, 12)
}

/** A hash whose hex form completes `<algorithm>:`. */
export function createDigestHash(algorithm: DigestAlgorithm = 'sha256'): Hash {
  return createHash(algorithm)
}

/** Digest of bytes in memory. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest
}

function isAlgorithm(value: string): value is DigestAlgorithm {
  return Object.hasOwn(HEX_LENGTH, value)
}
