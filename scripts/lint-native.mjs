// Format check and path rules of native/. `--fix` formats in place.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPathCalls } from './lib/path-calls.mjs'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'

await main(() => {
  const files = ['native', 'bench', 'test']
    .flatMap((room) => readdirSync(join(ROOT, room), { recursive: true }).map((name) => join(room, name)))
    .filter((name) => /\.(cc|c|h)$/.test(name))
    .sort()
  const mode = process.argv.includes('--fix') ? ['-i'] : ['--dry-run', '-Werror']
  if (files.length > 0) runQuietly('clang-format', ['--style=file', ...mode, ...files], { what: 'clang-format' })
  const findings = files
    .filter((name) => name.startsWith('native/'))
    .flatMap((name) => findPathCalls(name, readFileSync(join(ROOT, name), 'utf8')))
  for (const { file, line, text } of findings) process.stderr.write(`${file}:${line}: path call: ${text}\n`)
  if (findings.length > 0) {
    throw new Error(
      'native code resolves paths by descriptor only (openat2 and *at calls of native/sys); see scripts/lib/path-calls.mjs',
    )
  }
})
