/** The include rules of `native/` in ARCHITECTURE.md: sys <- lib <- domains <- napi <- addon, domains <- init. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, normalize } from 'node:path'

const DOMAINS = ['spawn', 'mount', 'net', 'seccomp', 'pty', 'archive', 'copy', 'cgroup']

/** What each room may include besides itself. `addon.cc` stands for the export table beside the rooms. */
const MAY_INCLUDE: Readonly<Record<string, readonly string[]>> = {
  sys: [],
  lib: ['sys'],
  ...Object.fromEntries(DOMAINS.map((domain) => [domain, ['sys', 'lib', ...DOMAINS]])),
  napi: ['sys', 'lib', ...DOMAINS],
  init: ['sys', 'lib', ...DOMAINS],
  hello: [],
  'addon.cc': ['napi'],
}

const NODE_HEADER = /^(napi|node|node_api|js_native_api|uv|v8)\.h$/

/** Everything wrong with the includes of a `native` directory, one line each. */
export function includeFaults(root: string): string[] {
  const faults: string[] = []
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cc|c|h|def)$/.test(name) && statSync(join(root, name)).isFile())
    .sort()
  const known = new Set(files)
  for (const file of files) {
    const room = file.split('/')[0] ?? file
    const allowed = MAY_INCLUDE[room]
    if (allowed === undefined) faults.push(`${file}: ${room} is no room of ARCHITECTURE.md`)
    for (const [index, text] of readFileSync(join(root, file), 'utf8').split('\n').entries()) {
      const target = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/.exec(text)?.[1]
      if (target === undefined) continue
      const where = `${file}:${index + 1}`
      if (NODE_HEADER.test(target) && room !== 'napi' && room !== 'addon.cc') {
        faults.push(`${where}: <${target}> outside native/napi`)
      }
      const beside = normalize(join(file, '..', target))
      const found = [beside, normalize(target)].find((candidate) => known.has(candidate))
      const other = found?.split('/')[0]
      if (other !== undefined && other !== room && allowed !== undefined && !allowed.includes(other)) {
        faults.push(`${where}: ${room} may not include ${other}`)
      }
    }
  }
  return faults
}
