import { type FileHandle, open } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { ByteRange } from './blob-reader.js'

/** So many transfers at once have large buffers: few system calls. All others have small ones: bounded memory. */
const FAST = 16
const LARGE = 2 ** 18
const SMALL = 2 ** 15

/** Pairs of large buffers that nobody uses. */
const idle: Pair[] = []
let fast = 0

type Pair = readonly [Buffer, Buffer]

const pairOf = (size: number): Pair => [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)]

/**
 * Sends a part of a file as the rest of an answer, through two buffers that are used again and again: one is filled while the
 * other is sent.
 *
 * @throws when the connection closes before
 */
export async function sendFile(path: string, range: ByteRange, response: ServerResponse): Promise<void> {
  const file = await open(path, 'r')
  const large = fast < FAST
  if (large) fast++
  const pair = large ? (idle.pop() ?? pairOf(LARGE)) : pairOf(SMALL)
  try {
    await send(file, range, response, pair)
    // After a failure the kernel may still read from them.
    if (large) idle.push(pair)
  } finally {
    if (large) fast--
    await file.close()
  }
  response.end()
}

async function send(file: FileHandle, { start, end }: ByteRange, response: ServerResponse, pair: Pair): Promise<void> {
  let cut: (() => void) | undefined
  response.once('close', () => cut?.())
  const write = (piece: Buffer) =>
    new Promise<void>((done, fail) => {
      cut = () => fail(new Error('the connection closed'))
      if (response.closed) cut()
      else response.write(piece, (error) => (error ? fail(error) : done()))
    })
  let writing: Promise<void> | undefined
  for (let at = start, turn = 0; at <= end; turn ^= 1) {
    const buffer = pair[turn]!
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end + 1 - at), at)
    if (bytesRead === 0) throw new Error('the file became shorter')
    at += bytesRead
    await writing
    writing = write(buffer.subarray(0, bytesRead))
    // Looked at in the next turn.
    writing.catch(() => {})
  }
  await writing
}
