import { type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'

/** One entry of a json-file log. */
export interface LogLine {
  stream: 'stdout' | 'stderr'
  /** RFC 3339 with nanoseconds. */
  time: string
  /** The bytes as the container wrote them. */
  data: Buffer
}

const chunkSize = 64 * 1024

/** Decodes a line of the log. The text may hold bytes that are no UTF-8, so it is taken apart as bytes. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const head = '{"log":"'
  if (line.toString('latin1', 0, head.length) !== head) return undefined
  const end = line.lastIndexOf('","stream":"')
  if (end < head.length - 1) return undefined
  const tail = /^","stream":"(stdout|stderr)","time":"([^"]+)"\}/.exec(line.toString('latin1', end))
  if (tail === null) return undefined
  return { stream: tail[1] as LogLine['stream'], time: tail[2]!, data: unescapeJson(line.subarray(head.length, end)) }
}

const escapes: Readonly<Record<number, number>> = { 110: 0x0a, 114: 0x0d, 116: 0x09, 34: 0x22, 92: 0x5c }

function unescapeJson(text: Buffer): Buffer {
  if (!text.includes(0x5c)) return text
  const out = Buffer.allocUnsafe(text.length)
  let size = 0
  for (let i = 0; i < text.length; i++) {
    const byte = text[i]!
    if (byte !== 0x5c) {
      out[size++] = byte
      continue
    }
    const code = text[++i]!
    if (code === 0x75) {
      out[size++] = Number.parseInt(text.toString('latin1', i + 1, i + 5), 16)
      i += 4
    } else {
      out[size++] = escapes[code] ?? code
    }
  }
  return out.subarray(0, size)
}

/** Cuts chunks into complete lines. */
class Lines {
  #rest: Buffer

  constructor() {
    this.#rest = Buffer.alloc(0)
  }

  *push(chunk: Buffer): Generator<LogLine> {
    let buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    for (let at = buffer.indexOf(0x0a); at >= 0; at = buffer.indexOf(0x0a)) {
      const line = parseLogLine(buffer.subarray(0, at))
      if (line !== undefined) yield line
      buffer = buffer.subarray(at + 1)
    }
    this.#rest = Buffer.from(buffer)
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** The files of a rotated log, oldest first. */
async function logFiles(path: string): Promise<string[]> {
  const files = [path]
  for (let i = 1; await exists(`${path}.${i}`); i++) files.unshift(`${path}.${i}`)
  return files
}

async function* readFrom(file: FileHandle, lines: Lines): AsyncGenerator<LogLine> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkSize), 0, chunkSize, null)
    if (bytesRead === 0) return
    yield* lines.push(buffer.subarray(0, bytesRead))
  }
}

/** Everything that is in the log now, oldest first. */
export async function* readLog(path: string): AsyncGenerator<LogLine> {
  for (const name of await logFiles(path)) {
    const file = await open(name, 'r').catch(() => undefined)
    if (file === undefined) continue
    try {
      yield* readFrom(file, new Lines())
    } finally {
      await file.close()
    }
  }
}

/**
 * The log from its beginning, then what is added, across rotations, until `ended` has settled and all was read.
 */
export async function* followLog(path: string, ended: Promise<unknown>, signal?: AbortSignal): AsyncGenerator<LogLine> {
  let over = false
  let wake: (() => void) | undefined
  const nudge = () => wake?.()
  ended.then(
    () => {
      over = true
      nudge()
    },
    () => {
      over = true
      nudge()
    },
  )
  signal?.addEventListener('abort', nudge, { once: true })
  const [...older] = (await logFiles(path)).slice(0, -1)
  for (const name of older) {
    const file = await open(name, 'r').catch(() => undefined)
    if (file === undefined) continue
    try {
      yield* readFrom(file, new Lines())
    } finally {
      await file.close()
    }
  }
  let watcher: FSWatcher | undefined
  let file: FileHandle | undefined
  try {
    watcher = watch(path.slice(0, path.lastIndexOf('/')), nudge)
    watcher.on('error', nudge)
    let lines = new Lines()
    for (;;) {
      const last = over
      file ??= await open(path, 'r').catch(() => undefined)
      if (file !== undefined) {
        yield* readFrom(file, lines)
        const [mine, current] = await Promise.all([file.stat(), stat(path).catch(() => undefined)])
        if (current !== undefined && current.ino !== mine.ino) {
          yield* readFrom(file, lines)
          await file.close()
          file = undefined
          lines = new Lines()
          continue
        }
      }
      if (last || signal?.aborted) return
      await new Promise<void>((resolve) => {
        // The watch can miss a change that came between the read and it; a second is the longest delay then.
        const timer = setTimeout(resolve, 1000)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        if (over || signal?.aborted) wake()
      })
      wake = undefined
    }
  } finally {
    watcher?.close()
    await file?.close()
  }
}
