import type { CreateOptions, RestartPolicy } from '../../engine/types.js'

/** A parser that takes only the given words. */
export function oneOf<W extends string>(...words: W[]): (text: string) => W {
  return (text) => {
    const found = words.find((word) => word === text)
    if (found === undefined) throw new Error(`must be ${words.map((word) => `'${word}'`).join(' or ')}`)
    return found
  }
}

/** A namespace: `host`, `container:<name|id>`, or the words a kind of namespace has besides. */
export function parseNamespace(...more: string[]): (text: string) => string {
  return (text) => {
    if (text === '' || text === 'host' || more.includes(text) || /^container:.+/.test(text)) return text
    throw new Error(`invalid mode '${text}' (${['host', 'container:<name|id>', ...more].join(', ')})`)
  }
}

/** `--restart`: `policy` or `on-failure:count`. The engine knows the policies. */
export function parseRestart(text: string): RestartPolicy {
  if (text === '') return { policy: 'no' }
  const colon = text.indexOf(':')
  if (colon < 0) return { policy: text as RestartPolicy['policy'] }
  const [policy, count] = [text.slice(0, colon), text.slice(colon + 1)]
  if (policy === '') throw new Error('invalid restart policy format: no policy provided before colon')
  if (!/^[+-]?[0-9]+$/.test(count)) {
    throw new Error('invalid restart policy format: maximum retry count must be an integer')
  }
  return { policy: policy as RestartPolicy['policy'], maxRetries: Number(count) }
}

/** `--attach`: one of the standard streams. */
export function parseStream(text: string): 'stdin' | 'stdout' | 'stderr' {
  const word = text.toLowerCase()
  if (word === 'stdin' || word === 'stdout' || word === 'stderr') return word
  throw new Error('valid streams are STDIN, STDOUT and STDERR')
}

/** `--log-driver`. */
export function parseLogDriver(text: string): NonNullable<CreateOptions['logDriver']> {
  if (text === 'json-file' || text === 'local' || text === 'none') return text
  throw new Error(`log driver '${text}' is not available (use json-file, local or none)`)
}

/** `--platform`: `os[/arch[/variant]]`. */
export function parsePlatform(text: string): string {
  if (!/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+){0,2}$/.test(text))
    throw new Error(`invalid platform: '${text}' (os[/arch[/variant]])`)
  return text
}

/** An integer in a range, for flags with tighter limits than their type. */
export function parseRange(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^-?[0-9]+$/.test(text) || value < min || value > max)
      throw new Error(`must be a whole number from ${min} to ${max}`)
    return value
  }
}
