import type { IncomingMessage } from 'node:http'
import { HubError } from './errors.js'

/** Inclusive, in bytes. */
export interface ByteRange {
  start: number
  end: number
}

/** One `bytes=a-b` of a blob; undefined: the whole. @throws HubError 416 for one outside of it */
export function rangeOf(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1])
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1)
  if (start > end || start >= size) {
    throw new HubError('SIZE_INVALID', 'the range is outside of the blob', 416, { 'Content-Range': `bytes */${size}` })
  }
  return { start, end }
}

/** Where a chunk begins, of `Content-Range: <start>-<end>`. @throws HubError 416 for one that cannot be */
export function chunkStart(request: IncomingMessage): number | undefined {
  const header = request.headers['content-range']
  if (header === undefined) return undefined
  const match = /^(?:bytes )?(\d+)-(\d+)(?:\/.*)?$/.exec(header)
  const length = request.headers['content-length']
  if (match === null || (length !== undefined && Number(match[2]) - Number(match[1]) + 1 !== Number(length))) {
    throw new HubError('BLOB_UPLOAD_INVALID', `invalid Content-Range ${header.slice(0, 80)}`, 416)
  }
  return Number(match[1])
}

/** The header `Range` of an upload that has so many bytes. */
export const rangeText = (size: number): string => `0-${Math.max(0, size - 1)}`
