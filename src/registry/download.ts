import { JubakoError } from '../errors/index.js'
import type { Descriptor } from '../oci/index.js'
import { readWithDeadline } from './body.js'
import { networkError } from './failures.js'
import type { BlobSink } from './options.js'
import type { Call, Session } from './session.js'
import type { Response } from './transport.js'

/** A try that brought this much counts as progress: the next one is the first again. */
const PROGRESS_BYTES = 1024 * 1024

/**
 * Brings a blob into a sink that may have a part of it. What breaks off goes on with a range request. The caller
 * verifies the digest; size and ranges are verified here.
 *
 * @throws JubakoError `ERR_JUBAKO_INTEGRITY` when the registry's lengths contradict the descriptor,
 *   `ERR_JUBAKO_NETWORK` when it broke off too often, and what {@link Session.call} throws
 */
export async function downloadBlob(
  session: Session,
  call: Omit<Call, 'accept' | 'method'>,
  blob: Descriptor,
  sink: BlobSink,
): Promise<void> {
  let attempt = 1
  while (sink.offset < blob.size) {
    const before = sink.offset
    const failure = await tryOnce(session, call, blob, sink)
    if (failure === undefined) return
    if (sink.offset - before >= PROGRESS_BYTES) attempt = 1
    if (attempt >= session.retry.attempts) throw failure
    await session.pause(attempt++, call.signal)
  }
}

/** @returns what is worth another try; throws what is not */
async function tryOnce(
  session: Session,
  call: Omit<Call, 'accept' | 'method'>,
  blob: Descriptor,
  sink: BlobSink,
): Promise<JubakoError | undefined> {
  const { offset } = sink
  const headers = { ...call.headers, ...(offset > 0 ? { range: `bytes=${offset}-${blob.size - 1}` } : {}) }
  const response = await session.call({ ...call, headers, method: 'GET', accept: [200, 206, 416] })
  try {
    if (response.status === 416) {
      await sink.restart()
      return integrity(session, call.what, 'the range is not satisfiable')
    }
    const skip = checkRange(session, call.what, response, blob, offset)
    return await copy(session, call, response, blob, sink, skip)
  } finally {
    response.body.on('error', () => undefined).destroy()
  }
}

/** @returns how many bytes at the beginning are already there, because the server ignored the range */
function checkRange(session: Session, what: string, response: Response, blob: Descriptor, offset: number): number {
  const { headers, status } = response
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw integrity(session, what, `content is encoded as ${headers['content-encoding']}`)
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '')
  if (status === 206 && (range === null || Number(range[1]) !== offset)) {
    throw integrity(session, what, 'the answer is not the range asked for')
  }
  const from = status === 206 ? offset : 0
  const length = headers['content-length']
  if (length !== undefined && Number(length) !== blob.size - from) {
    throw integrity(session, what, `the registry sends ${Number(length) + from} bytes, expected ${blob.size}`)
  }
  return offset - from
}

async function copy(
  session: Session,
  call: Omit<Call, 'accept' | 'method'>,
  response: Response,
  blob: Descriptor,
  sink: BlobSink,
  skip: number,
): Promise<JubakoError | undefined> {
  let left = skip
  const body = readWithDeadline(response.body, session.deadlines)[Symbol.asyncIterator]()
  try {
    for (;;) {
      let next: IteratorResult<Buffer>
      try {
        next = await body.next()
      } catch (error) {
        if (call.signal?.aborted) throw new JubakoError('ERR_JUBAKO_ABORTED', 'the operation was aborted')
        return networkError(session.registry, call.what, error)
      }
      if (next.done) break
      const chunk = next.value.subarray(Math.min(left, next.value.length))
      left -= next.value.length - chunk.length
      if (sink.offset + chunk.length > blob.size) {
        await sink.restart()
        throw integrity(session, call.what, `the registry sends more than the expected ${blob.size} bytes`)
      }
      if (chunk.length > 0) await sink.write(chunk)
    }
  } finally {
    await body.return?.(undefined)
  }
  if (sink.offset === blob.size) return undefined
  return networkError(session.registry, call.what, new Error(`cut off after ${sink.offset} of ${blob.size} bytes`))
}

function integrity(session: Session, what: string, message: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_INTEGRITY', `registry ${session.registry}: ${what}: ${message}`, {
    hint: 'the registry or a proxy on the way is broken, or the content was tampered with',
  })
}
