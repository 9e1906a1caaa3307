import { isJubakoError, JubakoError } from '../errors/index.js'
import { parseJsonObject } from '../oci/index.js'
import { readAll } from './body.js'
import { nextPage } from './pages.js'
import type { Session } from './session.js'
import type { Response } from './transport.js'

/** A repository that a search found. */
export interface SearchResult {
  name: string
  description: string
  stars: number
  official: boolean
  automated: boolean
}

const LIMIT_BYTES = 8 * 1024 * 1024
const MAX_PAGES = 20

/**
 * Asks a registry's index for repositories (`/v1/search`), or, where there is none, looks through its catalog.
 *
 * @param limit most results, 1 to 100
 */
export async function search(
  session: Session,
  term: string,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<SearchResult[]> {
  try {
    const path = `/v1/search?q=${encodeURIComponent(term)}&n=${limit}`
    const { results } = (await readPage(session, path, '', signal)).value as { results?: unknown }
    if (!Array.isArray(results)) throw malformed(session)
    return results.slice(0, limit).map((one) => resultOf(one, session))
  } catch (error) {
    if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw error
  }
  const results: SearchResult[] = []
  let path: string | undefined = '/v2/_catalog?n=1000'
  for (let page = 0; path !== undefined && results.length < limit && page < MAX_PAGES; page++) {
    const { value, response } = await readPage(session, path, 'registry:catalog:*', signal)
    const { repositories } = value as { repositories?: unknown }
    if (!Array.isArray(repositories)) throw malformed(session)
    for (const name of repositories) {
      if (typeof name !== 'string' || !name.includes(term)) continue
      results.push({ name: printable(name), description: '', stars: 0, official: false, automated: false })
    }
    path = nextPage(response)
  }
  return results.slice(0, limit)
}

async function readPage(
  session: Session,
  path: string,
  scope: string,
  signal: AbortSignal | undefined,
): Promise<{ value: object; response: Response }> {
  const what = 'search'
  const response = await session.call({ method: 'GET', path, scope, what, accept: [200], signal })
  const bytes = await readAll(response.body, LIMIT_BYTES, session.deadlines, `registry ${session.registry}: ${what}`)
  try {
    return { value: parseJsonObject(bytes, what, LIMIT_BYTES), response }
  } catch {
    throw malformed(session)
  }
}

function resultOf(value: Record<string, unknown> | null, session: Session): SearchResult {
  if (typeof value?.name !== 'string') throw malformed(session)
  const stars = Number(value.star_count ?? 0)
  return {
    name: printable(value.name),
    description: printable(typeof value.description === 'string' ? value.description : ''),
    stars: Number.isFinite(stars) ? stars : 0,
    official: value.is_official === true,
    automated: value.is_automated === true,
  }
}

/** What strangers wrote goes to a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
}

function malformed(session: Session): JubakoError {
  return new JubakoError('ERR_JUBAKO_REGISTRY', `registry ${session.registry}: search: not a list of repositories`)
}
