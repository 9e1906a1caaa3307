const UNIT_MS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3 }

/**
 * A duration as Go writes it: `1h30m`, `1.5s`, `-300ms`, `0`.
 *
 * @returns milliseconds
 */
export function parseDuration(text: string): number {
  const invalid = () => new Error(`invalid duration: '${text}' (for example 30s or 1h30m)`)
  const negative = text.startsWith('-')
  const body = text.replace(/^[+-]/, '')
  if (body === '0') return 0
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(body)) throw invalid()
  let total = 0
  for (const [, amount, unit] of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNIT_MS[unit as string] as number)
  }
  if (!Number.isFinite(total)) throw invalid()
  return negative ? -total : total
}
