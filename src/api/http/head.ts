/** The head of an HTTP/1.1 request (RFC 9112), read strictly: what is not plainly right is refused. */

export const MAX_HEAD_BYTES = 64 * 1024
const MAX_FIELDS = 200

/** A request that the protocol forbids; the connection ends after the answer. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

export interface Head {
  method: string
  /** Path and query as sent, without scheme and host. */
  target: string
  /** 0 or 1. */
  minor: number
  /** Names in lower case; the same name twice is joined with ", ". */
  headers: ReadonlyMap<string, string>
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]+) HTTP\/1\.([01])$/
// Control characters other than tab are not allowed in a value.
const badValue = /[^\t -~\u0080-\u00ff]/
/** Fields of which two different values would be two different requests. */
const single = new Set(['content-length', 'host', 'transfer-encoding', 'upgrade', 'content-type', 'x-registry-auth'])

/** Where the head ends in what was read: the index after its empty line, or -1. */
export function endOfHead(bytes: Buffer): number {
  const at = bytes.indexOf('\r\n\r\n')
  return at < 0 ? -1 : at + 4
}

/** @throws HttpError */
export function parseHead(bytes: Buffer): Head {
  const lines = bytes.toString('latin1', 0, bytes.length - 4).split('\r\n')
  const start = requestLine.exec(lines[0] ?? '')
  if (start === null) throw new HttpError(400, 'malformed HTTP request')
  if (lines.length > MAX_FIELDS) throw new HttpError(431, 'too many header fields')
  const headers = new Map<string, string>()
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (colon <= 0 || !token.test(name) || badValue.test(value)) throw new HttpError(400, 'malformed header field')
    const before = headers.get(name)
    if (before !== undefined && single.has(name)) throw new HttpError(400, `header field ${name} is given twice`)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return { method: start[1]!, target: originForm(start[2]!), minor: Number(start[3]), headers }
}

/** `/path?query`, also of a target in absolute form. */
function originForm(target: string): string {
  if (target.startsWith('/')) return target
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/i.exec(target)
  if (absolute === null) throw new HttpError(400, 'malformed request target')
  return absolute[1]!.startsWith('/') ? absolute[1]! : `/${absolute[1]!}`
}

/** Whether one of a field's comma-separated words is this. */
export function hasWord(value: string | undefined, word: string): boolean {
  return value?.split(',').some((it) => it.trim().toLowerCase() === word) ?? false
}

/** How long the body is. */
export function bodyLength(head: Head): number | 'chunked' {
  const encoding = head.headers.get('transfer-encoding')
  const length = head.headers.get('content-length')
  if (encoding !== undefined) {
    if (head.minor === 0 || encoding.toLowerCase() !== 'chunked') {
      throw new HttpError(501, `unsupported transfer encoding: ${encoding}`)
    }
    if (length !== undefined) throw new HttpError(400, 'both a content length and a transfer encoding')
    return 'chunked'
  }
  if (length === undefined) return 0
  if (!/^\d{1,15}$/.test(length)) throw new HttpError(400, 'malformed content length')
  return Number(length)
}
