/** Edits from one word to the other; two letters that changed places are one (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + cost)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) least = Math.min(least, before[j - 2]! + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return row[b.length]!
}

const MAX_EDITS = 3

/** The option that was probably meant; undefined when nothing is near. */
export function nearest(word: string, options: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase()
  let best: string | undefined
  let least = Math.min(MAX_EDITS, Math.ceil(wanted.length / 2)) + 1
  for (const option of options) {
    const edits = distance(wanted, option.toLowerCase())
    if (edits < least && edits > 0) [best, least] = [option, edits]
  }
  return best
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(word: string, options: Iterable<string>): string {
  const option = nearest(word, options)
  return option === undefined ? '' : ` (did you mean ${option}?)`
}
