import type { Allow } from '../engine/serve-types.js'
import { invalidArgument } from '../errors/index.js'

const ALWAYS = new Set(['SystemPing', 'SystemPingHead', 'SystemVersion'])

const READ =
  /^(Container(List|Inspect|Top|Logs|Changes|Stats|Wait|ArchiveInfo)|Image(List|Inspect|History|Search)|(Network|Volume)(List|Inspect)|System(Info|Events|DataUsage)|ExecInspect|DistributionInspect)$/

export function isAllowed(allow: Allow | undefined, operation: string): boolean {
  if (allow === undefined || ALWAYS.has(operation)) return true
  const { operations } = allow
  if (operations === undefined) return true
  return operations.includes(operation) || (operations.includes('read') && READ.test(operation))
}

/** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for a word that names no operation */
export function checkAllow(allow: Allow, known: ReadonlySet<string>): void {
  for (const operation of allow.operations ?? []) {
    if (operation === 'read' || known.has(operation)) continue
    throw invalidArgument(`unknown operation: ${operation}`, {
      hint: `known are read, ${[...known].sort().join(', ')}`,
    })
  }
}

/** `key=value` of each. */
export const ownLabels = (labels: Readonly<Record<string, string>>): string[] =>
  Object.entries(labels).map(([key, value]) => `${key}=${value}`)

export const withoutLabels = (
  labels: Readonly<Record<string, string>>,
  hidden: Readonly<Record<string, string>>,
): Record<string, string> => Object.fromEntries(Object.entries(labels).filter(([key]) => !Object.hasOwn(hidden, key)))

export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Allow['labels']): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
}
