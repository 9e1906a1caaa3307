import type { ProgressEvent } from '../engine/types.js'
import type { Call } from './call.js'
import { messageOf } from './errors.js'

const BAR = 50

const size = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let [value, at] = [bytes, 0]
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000
    at++
  }
  return `${Number(value.toPrecision(4))}${units[at]}`
}

/** `[====>    ]  1.5MB/3MB`, as old clients show it. */
function bar(current: number, total: number): string {
  const filled = Math.min(BAR, Math.floor((current / total) * BAR))
  const head = filled >= BAR ? '=' : '>'
  return `[${'='.repeat(Math.max(0, filled - 1))}${head}${' '.repeat(Math.max(0, BAR - Math.max(1, filled)))}]  ${size(current)}/${size(total)}`
}

/** One progress event as Docker's JSONMessage. */
export function progressMessage({ id, status, current, total }: ProgressEvent): Record<string, unknown> {
  const counted = current !== undefined && total !== undefined && total > 0
  return {
    status,
    ...(id === '' ? {} : { progressDetail: counted ? { current, total } : {} }),
    ...(counted && { progress: bar(current, total) }),
    ...(id !== '' && { id }),
  }
}

/** An error whose code is for the client's exit: of nothing else clients are told one. */
export class LineError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message)
  }
}

/**
 * A stream of JSON objects, one a line. It begins with the first one, so that what fails before is an error with a
 * status; what fails later is the stream's last object.
 */
export class JsonLines {
  #last: Promise<unknown> = Promise.resolve()

  constructor(private readonly call: Call) {}

  send(message: unknown): void {
    const { reply } = this.call
    if (!reply.begun) this.#last = reply.start(200, { 'Content-Type': 'application/json' })
    const before = this.#last
    this.#last = before.then(() => reply.write(`${JSON.stringify(message)}\r\n`))
  }

  readonly onProgress = (event: ProgressEvent): void => this.send(progressMessage(event))

  /** Runs what the stream tells of. */
  async run(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (!this.call.reply.begun) throw error
      const message = messageOf(error)
      const code = error instanceof LineError ? error.code : undefined
      this.send({ errorDetail: { ...(code !== undefined && { code }), message }, error: message })
    }
    // Something is always sent: clients read a stream.
    if (!this.call.reply.begun) this.#last = this.call.reply.start(200, { 'Content-Type': 'application/json' })
    await this.#last
  }
}
