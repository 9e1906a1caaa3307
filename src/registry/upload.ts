import type { Readable } from 'node:stream'
import { JubakoError } from '../errors/index.js'
import type { Descriptor } from '../oci/index.js'
import { answerError } from './failures.js'
import type { Call, Session } from './session.js'
import type { Response } from './transport.js'

/** Makes a stream of the blob's bytes; called once per try. */
export type BlobSource = () => Readable

type UploadCall = Pick<Call, 'scope' | 'what' | 'signal'>

/**
 * Uploads a blob in one piece, after asking for a mount from another repository of the same registry
 * (distribution-spec, "Pushing blobs").
 */
export async function uploadBlob(
  session: Session,
  repository: string,
  call: UploadCall,
  blob: Descriptor,
  source: BlobSource,
  mountFrom: string | undefined,
): Promise<'mounted' | 'uploaded'> {
  for (let attempt = 1; ; attempt++) {
    const query = mountFrom === undefined ? '' : `?mount=${blob.digest}&from=${encodeURIComponent(mountFrom)}`
    const path = `/v2/${repository}/blobs/uploads/${query}`
    const begun = await session.call({ ...call, path, method: 'POST', body: Buffer.alloc(0), accept: [201, 202] })
    begun.body.on('error', () => undefined).destroy()
    if (begun.status === 201) return 'mounted'
    const failure = await sendWhole(session, call, blob, source, uploadLocation(session, call, begun))
    if (failure === undefined) return 'uploaded'
    if (attempt >= session.retry.attempts) throw failure
    await session.pause(attempt, call.signal)
  }
}

/** A broken upload cannot be repeated at its location: the caller begins a new one. */
async function sendWhole(
  session: Session,
  call: UploadCall,
  blob: Descriptor,
  source: BlobSource,
  location: URL,
): Promise<JubakoError | undefined> {
  location.searchParams.set('digest', blob.digest)
  let stream: Readable | undefined
  try {
    const response = await session.callOnce({
      ...call,
      path: location,
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) },
      body: () => {
        stream = source()
        return stream
      },
      accept: [201, 204],
    })
    response.body.on('error', () => undefined).destroy()
    return undefined
  } catch (error) {
    if (error instanceof JubakoError && (error.code === 'ERR_JUBAKO_NETWORK' || error.code === 'ERR_JUBAKO_REGISTRY')) {
      return error
    }
    throw error
  } finally {
    stream?.destroy()
  }
}

function uploadLocation(session: Session, call: UploadCall, begun: Response): URL {
  const { location } = begun.headers
  try {
    const url = new URL(String(location ?? ''), begun.url)
    if (location !== undefined && /^https?:$/.test(url.protocol)) return url
  } catch {
    // Reported below, with the registry's name.
  }
  const detail = 'no upload location'
  throw answerError(session.registry, call.what, { status: begun.status, detail, retryAfterMs: undefined })
}
