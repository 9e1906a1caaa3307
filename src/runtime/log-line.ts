/** One entry of a json-file log. */
export interface LogLine {
  readonly stream: 'stdout' | 'stderr'
  /** RFC 3339 with nanoseconds. */
  readonly time: string
  /** The bytes as the container wrote them. */
  readonly data: Buffer
  /** What log options add to each line. */
  readonly attributes: Record<string, string>
}

const HEAD = '{"log":"'
const STREAM = Buffer.from('","stream":"')
const TIME = Buffer.from('","time":"')
/** `stdout` and `stderr` are of one length. */
const WORD = 6
/** Position, counted from the stream's word, of the letter that tells the two apart. */
const LETTER = 3
const LETTER_O = 0x6f
const QUOTE = 0x22
const BACKSLASH = 0x5c
const SHORT_ESCAPES: Readonly<Record<number, number>> = { 110: 0x0a, 114: 0x0d, 116: 0x09, 34: QUOTE, 92: BACKSLASH }

/** Takes a line apart as bytes, since it may hold what is no UTF-8; time and attributes when they are asked for. */
class Entry implements LogLine {
  constructor(
    readonly stream: 'stdout' | 'stderr',
    readonly data: Buffer,
    private readonly rest: Buffer,
  ) {}

  get time(): string {
    const at = this.rest.lastIndexOf(TIME)
    // Without attributes it follows the stream at once: `"time":"` has no quote before.
    const from = at < 0 ? this.rest.indexOf('"time":"') + TIME.length - 2 : at + TIME.length
    return this.rest.toString('latin1', from, this.rest.lastIndexOf(QUOTE))
  }

  get attributes(): Record<string, string> {
    const begin = this.rest.indexOf('"attrs":')
    if (begin < 0) return {}
    return JSON.parse(this.rest.toString('utf8', begin + 8, this.rest.lastIndexOf(',"time":"'))) as Record<
      string,
      string
    >
  }
}

/** @param line without its line feed; its bytes are changed */
export function parseLogLine(line: Buffer): LogLine | undefined {
  if (line.length < HEAD.length + STREAM.length || line[0] !== HEAD.charCodeAt(0) || line[6] !== 0x3a) return undefined
  const end = line.lastIndexOf(STREAM)
  if (end < HEAD.length - 1) return undefined
  const word = end + STREAM.length
  const rest = line.subarray(word + WORD)
  if (rest[0] !== QUOTE) return undefined
  return new Entry(line[word + LETTER] === LETTER_O ? 'stdout' : 'stderr', unescapeJson(line, HEAD.length, end), rest)
}

/** In place: what is left is never longer. */
function unescapeJson(line: Buffer, from: number, to: number): Buffer {
  let at = line.indexOf(BACKSLASH, from)
  if (at < 0 || at >= to) return line.subarray(from, to)
  let size = at
  while (at < to) {
    const byte = line[at]!
    if (byte !== BACKSLASH) {
      line[size++] = byte
      at++
      continue
    }
    const code = line[at + 1]!
    if (code === 0x75) {
      line[size++] = Number.parseInt(line.toString('latin1', at + 2, at + 6), 16)
      at += 6
    } else {
      line[size++] = SHORT_ESCAPES[code] ?? code
      at += 2
    }
  }
  return line.subarray(from, size)
}

/** Cuts chunks into complete lines. The chunks become the lines' bytes. */
export class Lines {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): LogLine[] {
    const buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    const lines: LogLine[] = []
    let from = 0
    for (let at = buffer.indexOf(0x0a); at >= 0; at = buffer.indexOf(0x0a, from)) {
      const line = parseLogLine(buffer.subarray(from, at))
      if (line !== undefined) lines.push(line)
      from = at + 1
    }
    this.#rest = buffer.subarray(from)
    return lines
  }
}
