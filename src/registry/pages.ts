import type { Response } from './transport.js'

/** The `Link` header's next page, on the same origin only. */
export function nextPage(response: Response): string | undefined {
  const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(response.headers.link ?? ''))?.[1]
  if (link === undefined) return undefined
  const url = new URL(link, response.url)
  return url.origin === response.url.origin ? url.pathname + url.search : undefined
}
