/**
 * Parses the kernel's list form, for example `0-2,4` (cpuset(7), "List format").
 *
 * @returns the numbers, or null when the text is not a list.
 */
export function parseList(text: string): Set<number> | null {
  const numbers = new Set<number>()
  for (const part of text.split(',')) {
    const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(part)
    if (match === null) return null
    const first = Number(match[1])
    const last = Number(match[2] ?? first)
    if (last < first) return null
    for (let n = first; n <= last; n++) numbers.add(n)
  }
  return numbers
}
