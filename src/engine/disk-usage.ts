import { lstat, readdir } from 'node:fs/promises'

/**
 * Bytes of all files below a directory, one with several names once; symbolic links are not followed. What vanishes
 * meanwhile does not count.
 */
export async function diskUsage(directory: string): Promise<number> {
  let total = 0
  const linked = new Set<string>()
  const pending = [directory]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const entries = await readdir(at, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const path = `${at}/${entry.name}`
      if (entry.isDirectory()) pending.push(path)
      else if (entry.isFile()) {
        const file = await lstat(path).catch(() => undefined)
        if (file === undefined) continue
        const key = `${file.dev}:${file.ino}`
        if (file.nlink > 1 && linked.has(key)) continue
        if (file.nlink > 1) linked.add(key)
        total += file.size
      }
    }
  }
  return total
}
