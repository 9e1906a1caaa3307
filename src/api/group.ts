import { readFileSync } from 'node:fs'
import { invalidArgument } from '../errors/index.js'

/**
 * The number of a group of this machine.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT
 */
export function groupId(group: string | number): number {
  if (typeof group === 'number' || /^\d+$/.test(group)) return Number(group)
  for (const line of readFileSync('/etc/group', 'utf8').split('\n')) {
    const [name, , id] = line.split(':')
    if (name === group) return Number(id)
  }
  throw invalidArgument(`there is no group ${group}`, { hint: 'make it with groupadd, or name another with --group' })
}
