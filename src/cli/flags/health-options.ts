import type { HealthOptions } from '../../engine/types.js'
import { EXIT, UsageError } from '../exit-codes.js'
import type { ParsedArgs } from './parse.js'

const TIMES = [
  ['health-interval', 'interval'],
  ['health-timeout', 'timeout'],
  ['health-start-period', 'startPeriod'],
  ['health-start-interval', 'startInterval'],
] as const

/** `--health-*` and `--no-healthcheck`; undefined without any. */
export function healthOptions(flags: ParsedArgs): HealthOptions | undefined {
  const refuse = (text: string): UsageError => new UsageError(text, flags.command, EXIT.engine)
  const options: HealthOptions = {}
  const line = flags.string('health-cmd')
  if (line !== undefined && line !== '') options.test = ['CMD-SHELL', line]
  for (const [flag, option] of TIMES) {
    const value = flags.number(flag) ?? 0
    if (value < 0) throw refuse(`--${flag} cannot be negative`)
    if (value !== 0) options[option] = value
  }
  const retries = flags.number('health-retries') ?? 0
  if (retries < 0) throw refuse('--health-retries cannot be negative')
  if (retries !== 0) options.retries = retries
  const onFailure = flags.string('health-on-failure')
  if (onFailure !== undefined) options.onFailure = onFailure as NonNullable<HealthOptions['onFailure']>
  const any = Object.keys(options).length > 0
  if (!flags.bool('no-healthcheck')) return any ? options : undefined
  if (any) throw refuse('--no-healthcheck conflicts with --health-* options')
  return { test: ['NONE'] }
}
