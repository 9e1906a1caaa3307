import { lstat, readdir } from 'node:fs/promises'

/** Bytes of all files below a directory; links are not followed. What vanishes meanwhile does not count. */
export async function diskUsage(directory: string): Promise<number> {
  let total = 0
  const pending = [directory]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const entries = await readdir(at, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const path = `${at}/${entry.name}`
      if (entry.isDirectory()) pending.push(path)
      else if (entry.isFile())
        total += await lstat(path).then(
          ({ size }) => size,
          () => 0,
        )
    }
  }
  return total
}
