import { JubakoError } from '../../errors/index.js'
import { type DeviceRule, matchesEverything } from '../../oci/devices.js'
import type { CgroupWrite } from '../types.js'

const number = (n: number | null): string => (n === null ? '*' : String(n))

/**
 * Device rules as writes to `devices.deny` and `devices.allow` (kernel documentation, cgroup-v1/devices).
 *
 * The kernel takes a rule for `a` as "everything" whatever its numbers say, so any narrower one becomes one for `b` and
 * one for `c`. It cannot deny a part of what was allowed before, and a list that wants that is refused.
 *
 * @throws {@link JubakoError} ERR_JUBAKO_UNSUPPORTED.
 */
export function deviceWrites(rules: readonly DeviceRule[], directory: string): CgroupWrite[] {
  const last = rules.findLastIndex(matchesEverything)
  if (last === -1)
    return deviceWrites([{ type: 'a', major: null, minor: null, access: 'rwm', allow: false }, ...rules], directory)
  const [whole, ...rest] = rules.slice(last) as [DeviceRule, ...DeviceRule[]]
  // A new cgroup has its parent's rules: at most as wide, and what allows everything changes nothing.
  const writes: CgroupWrite[] = []
  const emit = (allow: boolean, value: string): void => {
    writes.push({ path: `${directory}/devices.${allow ? 'allow' : 'deny'}`, value, required: true })
  }
  if (!whole.allow) emit(false, 'a')
  for (const rule of rest) {
    if (rule.allow === whole.allow && whole.allow) continue
    if (!rule.allow && !whole.allow)
      throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', 'cgroup v1 cannot deny a part of the devices allowed before', {
        hint: 'list only what is to be allowed',
      })
    for (const type of rule.type === 'a' ? ['b', 'c'] : [rule.type])
      emit(rule.allow, `${type} ${number(rule.major)}:${number(rule.minor)} ${rule.access}`)
  }
  return writes
}
