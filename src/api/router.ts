import { API_VERSION, MIN_API_VERSION } from '../engine/system-documents.js'
import type { Handler } from './call.js'
import { ApiError, badRequest } from './errors.js'

export { API_VERSION, MIN_API_VERSION }

/**
 * One operation: method, path below the version, its name in Docker's API description, and where its handler is. `{id}`
 * stands for one part of the path, `{name:.*}` for several.
 */
export type Route = readonly [method: string, path: string, operation: string, load: () => Promise<Handler>]

export interface Match {
  route: Route
  params: Record<string, string>
}

interface Compiled {
  route: Route
  pattern: RegExp
  names: string[]
}

export class Router {
  /** By method and first part of the path. */
  readonly #routes = new Map<string, Compiled[]>()

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const [method, path] = route
      const key = `${method} ${path.split('/')[1]}`
      const list = this.#routes.get(key) ?? []
      list.push(compile(route))
      this.#routes.set(key, list)
    }
  }

  /** @param path without version and query */
  match(method: string, path: string): Match | undefined {
    for (const { route, pattern, names } of this.#routes.get(`${method} ${path.split('/')[1]}`) ?? []) {
      const found = pattern.exec(path)
      if (found === null) continue
      return { route, params: Object.fromEntries(names.map((name, at) => [name, decode(found[at + 1]!)])) }
    }
    return undefined
  }
}

function compile(route: Route): Compiled {
  const names: string[] = []
  const text = route[1].replace(/\{(\w+)(:\.\*)?\}/g, (_, name: string, wide: string | undefined) => {
    names.push(name)
    return wide === undefined ? '([^/]+)' : '(.+)'
  })
  return { route, names, pattern: new RegExp(`^${text}$`) }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw badRequest(`invalid URL escape in "${part}"`)
  }
}

const number = (text: string): number[] => text.split('.').map(Number)
const below = (a: number[], b: number[]): boolean => a[0]! < b[0]! || (a[0] === b[0] && a[1]! < b[1]!)

/**
 * Takes the version off a path. Without one the newest counts.
 *
 * @throws ApiError 400 when it is none of ours
 */
export function splitVersion(path: string): { version: number; rest: string } {
  const found = /^\/v(\d{1,4}\.\d{1,4})(\/.*)$/.exec(path)
  if (found === null) return { version: number(API_VERSION)[1]!, rest: path }
  const asked = number(found[1]!)
  if (below(asked, number(MIN_API_VERSION))) {
    throw new ApiError(
      400,
      `client version ${found[1]} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    )
  }
  if (below(number(API_VERSION), asked)) {
    throw new ApiError(400, `client version ${found[1]} is too new. Maximum supported API version is ${API_VERSION}`)
  }
  return { version: asked[1]!, rest: found[2]! }
}
