// The numbers that TypeScript and C++ both know.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Frame } from '../../src/native/protocol.js'
import { steps } from '../../src/native/steps.js'
import { CHECKOUT } from '../helpers/checkout.js'

const matches = (file: string, pattern: RegExp) => [...readFileSync(join(CHECKOUT, file), 'utf8').matchAll(pattern)]

t.test('steps', (t) => {
  const rows = matches('native/spawn/steps.def', /^STEP\((\d+), (k\w+), "([a-z-]+)"\)/gm)
  t.ok(rows.length > 40)
  t.strictSame(Object.fromEntries(rows.map(([, number, , name]) => [name, Number(number)])), steps)
  t.equal(new Set(rows.map(([, number]) => number)).size, rows.length, 'each number once')
  for (const [, , identifier, name] of rows) {
    t.equal(identifier, `k${name!.replace(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase())}`)
  }
  t.end()
})

t.test('frames', (t) => {
  const rows = matches('native/spawn/protocol.h', /^ {2}k(\w+) = (\d+),/gm)
  t.ok(rows.length > 10)
  const name = (identifier: string) => identifier[0]!.toLowerCase() + identifier.slice(1)
  t.strictSame(Object.fromEntries(rows.map(([, identifier, number]) => [name(identifier!), Number(number)])), Frame)
  t.end()
})
