import type { MountOption } from '../../engine/types.js'
import { parseBytes } from './bytes.js'

/** One `--tmpfs`: `target[:option,...]`; `size` in bytes or with a unit, `mode` octal, other options as mount(8) has them. */
export function parseTmpfs(text: string): MountOption {
  const colon = text.indexOf(':')
  const target = colon < 0 ? text : text.slice(0, colon)
  if (!target.startsWith('/')) throw new Error(`invalid tmpfs path: '${target}' must be absolute`)
  const mount: MountOption = { type: 'tmpfs', target, text }
  const others: string[] = []
  for (const option of colon < 0 ? [] : text.slice(colon + 1).split(',')) {
    const [key, value = ''] = option.split('=', 2) as [string, string?]
    if (key === 'size' && !value.endsWith('%')) mount.size = parseBytes(value)
    else if (key === 'mode' && /^[0-7]+$/.test(value)) mount.mode = Number.parseInt(value, 8)
    else if (option !== '') others.push(option)
  }
  if (others.length > 0) mount.options = others
  return mount
}
