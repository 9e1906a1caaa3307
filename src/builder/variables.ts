import { type Dockerfile, DockerfileError, expand, type Location } from '../dockerfile/index.js'

/** Arguments that are always there; they count for no cache and are in no history (Dockerfile reference). */
const PROXIES = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
)

export const isProxyArgument = (name: string): boolean => PROXIES.has(name)

/** TARGETPLATFORM and the others. */
export function platformArguments(build: string, target: string, stage: string): Record<string, string> {
  const out: Record<string, string> = { TARGETSTAGE: stage }
  for (const [prefix, text] of [
    ['BUILD', build],
    ['TARGET', target],
  ] as const) {
    const [os = '', arch = '', variant = ''] = text.split('/')
    out[`${prefix}PLATFORM`] = text
    out[`${prefix}OS`] = os
    out[`${prefix}ARCH`] = arch
    out[`${prefix}VARIANT`] = variant
  }
  return out
}

/** Expands a word, with the instruction's place in the error. */
export function expandAt(
  text: string,
  get: (name: string) => string | undefined,
  location: Location,
  token: string,
  ignoreQuotes = false,
): string {
  try {
    return expand(text, get, { escape: token, ignoreQuotes }).text
  } catch (error) {
    throw new DockerfileError((error as Error).message, location)
  }
}

/** Values of the ARG instructions before the first FROM; undefined: declared without a value. */
export function globalArguments(
  dockerfile: Dockerfile,
  given: Readonly<Record<string, string>>,
  predefined: Readonly<Record<string, string>>,
): Map<string, string | undefined> {
  const values = new Map<string, string | undefined>()
  const get = (name: string) => values.get(name) ?? predefined[name]
  for (const { args, location } of dockerfile.globals) {
    for (const { name, value } of args) {
      values.set(
        name,
        given[name] ?? (value === undefined ? undefined : expandAt(value, get, location, dockerfile.escape)),
      )
    }
  }
  return values
}

/** What the instructions of a stage see: environment over arguments. */
export class Scope {
  /** In the order of their declaration. */
  readonly args: Map<string, string | undefined>
  readonly env = new Map<string, string>()

  /** @param inherited arguments of the stage that this one stands on */
  constructor(inherited: ReadonlyMap<string, string | undefined> = new Map()) {
    this.args = new Map(inherited)
  }

  get = (name: string): string | undefined => this.env.get(name) ?? this.args.get(name)

  envList(): string[] {
    return [...this.env].map(([name, value]) => `${name}=${value}`)
  }

  loadEnv(list: readonly string[]): void {
    for (const entry of list) {
      const at = entry.indexOf('=')
      if (at > 0) this.env.set(entry.slice(0, at), entry.slice(at + 1))
    }
  }

  /** Arguments that a RUN step gets. */
  argList(): [name: string, value: string][] {
    return [...this.args].flatMap(([name, value]) =>
      value === undefined || this.env.has(name) ? [] : [[name, value] as [string, string]],
    )
  }
}
