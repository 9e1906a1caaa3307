import type { Duplex, Readable } from 'node:stream'
import type { Engine } from '../engine/engine.js'
import { badRequest } from './errors.js'
import { Fields } from './fields.js'
import type { Exchange } from './http/connection.js'
import { hasWord } from './http/head.js'
import type { Headers, Reply } from './http/reply.js'
import type { Query } from './query.js'
import type { Resident } from './resident.js'

const MAX_JSON_BYTES = 8 * 2 ** 20

/** One API request with all that its handler works with. */
export class Call {
  constructor(
    readonly resident: Resident,
    readonly params: Readonly<Record<string, string>>,
    readonly query: Query,
    /** The minor number of the API version that the client speaks: 51 for v1.51. */
    readonly version: number,
    private readonly exchange: Exchange,
  ) {}

  get engine(): Engine {
    return this.resident.engine
  }

  get reply(): Reply {
    return this.exchange.reply
  }

  /** Aborted when the client has gone. */
  get signal(): AbortSignal {
    return this.exchange.reply.signal
  }

  header(name: string): string | undefined {
    return this.exchange.head.headers.get(name)
  }

  get hasBody(): boolean {
    return this.exchange.body.length !== 0
  }

  body(): Readable {
    return this.exchange.body.stream()
  }

  /**
   * The body as a JSON object; an absent one has no fields.
   *
   * @throws ApiError 400; HttpError 413
   */
  async json(struct: string, options: { required?: boolean } = {}): Promise<Fields> {
    const bytes = await this.exchange.body.all(MAX_JSON_BYTES)
    const text = bytes.toString('utf8').trim()
    if (text === '') {
      if (options.required) throw badRequest('invalid JSON: got EOF while reading request body')
      return new Fields(undefined, struct)
    }
    const type = this.header('content-type')
    if (type !== undefined && !/^application\/json\s*(;|$)/i.test(type)) {
      throw badRequest(`unsupported Content-Type header (${type}): must be 'application/json'`)
    }
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      throw badRequest(`invalid JSON: ${(error as Error).message}`)
    }
    return new Fields(value, struct)
  }

  /** Reads a body that means nothing here, so that what follows it is the stream's. One without a length is the stream. */
  async skipBody(): Promise<void> {
    if (typeof this.exchange.body.length === 'number') await this.exchange.body.all(MAX_JSON_BYTES)
  }

  /** Whether the client asks for a change of protocol; without, the answer to a hijacking request is a plain 200. */
  get upgrade(): string | undefined {
    const to = this.header('upgrade')
    return to !== undefined && hasWord(this.header('connection'), 'upgrade') ? to : undefined
  }

  /** The connection as a stream of bytes both ways. */
  hijack(contentType: string): Duplex {
    const to = this.upgrade
    if (to === undefined) return this.exchange.takeOver(200, { 'Content-Type': contentType })
    const headers: Headers = { 'Content-Type': contentType, Connection: 'Upgrade', Upgrade: to }
    return this.exchange.takeOver(101, headers)
  }

  /** The connection, to which nothing was written. */
  takeOverSilently(): Duplex {
    return this.exchange.takeOver()
  }
}

export type Handler = (call: Call) => Promise<void>
