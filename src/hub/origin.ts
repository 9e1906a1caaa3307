import type { IncomingMessage } from 'node:http'

/** How a client came here. */
export interface Origin {
  /** `https://host[:port]`, as the client has it. */
  url: string
  /** `host[:port]` of that. */
  host: string
  /** The client's address. */
  address: string
}

const HOST = /^[A-Za-z0-9.:[\]-]{1,255}$/

/** The entry of a list that the nearest proxy added: what is before it anybody may have written. */
const nearest = (header: string | string[] | undefined): string | undefined =>
  String(header ?? '')
    .split(',')
    .at(-1)!
    .trim() || undefined

/**
 * @param secure whether this registry itself speaks https
 * @param behindProxy whether a proxy in front says in `X-Forwarded-For`, `-Host` and `-Proto` what its client asked for
 */
export function originOf(request: IncomingMessage, secure: boolean, behindProxy: boolean): Origin {
  const { headers, socket } = request
  const forwarded = (name: string) => (behindProxy ? nearest(headers[`x-forwarded-${name}`]) : undefined)
  const host = HOST.exec(forwarded('host') ?? headers.host ?? '')?.[0] ?? 'localhost'
  const said = forwarded('proto')
  const scheme = said === 'https' || said === 'http' ? said : secure ? 'https' : 'http'
  return { url: `${scheme}://${host}`, host, address: forwarded('for') ?? socket.remoteAddress ?? '' }
}
