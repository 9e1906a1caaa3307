/** One step of a symbolic mode: whom it is about, what is done, and with which permissions. */
export interface ModeChange {
  /** Mask of the bits of user, group and others that it is about. */
  who: number
  action: '=' | '+' | '-'
  /** `rwx` for everybody, as in 0777. */
  permissions: number
  /** `X`: execute for directories and what somebody can execute. */
  conditional: boolean
  /** setuid, setgid and sticky bits. */
  special: number
}

/** `--chmod`: bits that replace, or changes. */
export type ChmodOption = { mode: number } | { changes: ModeChange[] }

const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 }
const PERMISSIONS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 }

/** @throws Error in BuildKit's words */
export function parseChmod(text: string): ChmodOption {
  if (/^[0-9]+$/.test(text)) {
    const mode = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.POSITIVE_INFINITY
    if (mode > 0o7777) {
      throw new Error(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`)
    }
    return { mode }
  }
  return { changes: text.split(',').flatMap((clause) => parseClause(clause, text)) }
}

function parseClause(clause: string, text: string): ModeChange[] {
  const match = /^([ugoa]*)((?:[=+-][rwxXst]*)+)$/.exec(clause)
  if (match === null) throw new Error(`invalid chmod parameter: '${text}'`)
  const who = [...(match[1] || 'a')].reduce((mask, c) => mask | WHO[c]!, 0)
  return (match[2]!.match(/[=+-][rwxXst]*/g) ?? []).map((part) => {
    const letters = [...part.slice(1)]
    return {
      who,
      action: part[0] as ModeChange['action'],
      permissions: letters.reduce((mask, c) => mask | (PERMISSIONS[c] ?? 0), 0),
      conditional: letters.includes('X'),
      special: (letters.includes('s') ? 0o6000 : 0) | (letters.includes('t') ? 0o1000 : 0),
    }
  })
}
