import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

let version: string | undefined

/** `version` of this package's package.json. */
export function packageVersion(): string {
  if (version !== undefined) return version
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name?: string
        version?: string
      }
      if (found.name === 'jubako') {
        version = found.version ?? '0.0.0'
        return version
      }
    } catch {
      // further up
    }
    if (folder === '/') return '0.0.0'
  }
}
