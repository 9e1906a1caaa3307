/** One way a server offers to authenticate (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  scheme: string
  parameters: Record<string, string>
}

const SCHEME = /^\s*,*\s*([A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*)(?=\s|,|$)(?!\s*=)/
const PARAMETER = /^\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/

/** Parses `WWW-Authenticate`. What is malformed ends the list. */
export function parseChallenges(header: string | string[] | undefined): Challenge[] {
  const challenges: Challenge[] = []
  for (const line of header === undefined ? [] : [header].flat()) parseLine(line.slice(0, 8192), challenges)
  return challenges
}

function parseLine(line: string, challenges: Challenge[]): void {
  let rest = line
  for (;;) {
    const scheme = SCHEME.exec(rest)
    if (scheme === null) return
    rest = rest.slice(scheme[0].length)
    const challenge: Challenge = { scheme: scheme[1]!.toLowerCase(), parameters: {} }
    for (let match = PARAMETER.exec(rest); match !== null; match = PARAMETER.exec(rest)) {
      rest = rest.slice(match[0].length)
      challenge.parameters[match[1]!.toLowerCase()] = match[2]?.replace(/\\(.)/g, '$1') ?? match[3]!
    }
    challenges.push(challenge)
  }
}
