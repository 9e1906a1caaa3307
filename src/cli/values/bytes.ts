const POWERS: Record<string, number> = { k: 1, m: 2, g: 3, t: 4, p: 5 }

/**
 * A size in bytes: a number and an optional unit, `b`, `k`, `m`, `g`, `t` or `p` with an optional `b` or `ib`, in any case.
 * All units are powers of 1024, fractions are allowed (`1.5g`), the result is rounded down.
 */
export function parseBytes(text: string): number {
  const match = /^([0-9]+\.?[0-9]*|\.[0-9]+) ?([a-zA-Z]*)$/.exec(text)
  if (!match) throw new Error(`invalid size: '${text}' (for example 512m or 1.5g)`)
  const unit = (match[2] as string).toLowerCase()
  const power = unit === '' || unit === 'b' ? 0 : POWERS[unit[0] as string]
  if (power === undefined || !['', 'b', 'ib'].includes(unit.slice(1)))
    throw new Error(`invalid suffix: '${unit}' (use b, k, m, g, t or p)`)
  const bytes = Math.floor(Number(match[1]) * 1024 ** power)
  if (!Number.isSafeInteger(bytes)) throw new Error(`size is too large: '${text}'`)
  return bytes
}

/** As {@link parseBytes}, and `-1` for unlimited swap. */
export function parseMemorySwap(text: string): number {
  return text === '-1' ? -1 : parseBytes(text)
}
