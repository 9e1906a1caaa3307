import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CHECKOUT } from '../helpers/checkout.js'
import { findCycles, importFaults, readFacts } from '../helpers/imports.js'
import { includeFaults } from '../helpers/includes.js'

t.test('src keeps the import rules', (t) => {
  t.strictSame(importFaults(join(CHECKOUT, 'src')), [])
  t.end()
})

t.test('native keeps the include rules', (t) => {
  t.ok(existsSync(join(CHECKOUT, 'native/addon.cc')))
  t.strictSame(includeFaults(join(CHECKOUT, 'native')), [])
  t.end()
})

t.test('every form of import is seen', (t) => {
  const { imports } = readFacts(
    'x.ts',
    [
      "import a from './a.js'",
      "import type { B } from './b.js'",
      "export { c } from './c.js'",
      "export * from './d.js'",
      "import './e.js'",
      "const f = await import('./f.js')",
      "type G = import('./g.js').G",
      "const h = require('./h.js')",
      "import i = require('./i.js')",
      'await import(name)',
    ].join('\n'),
  )
  const seen = imports.map(({ specifier }) => specifier)
  t.strictSame(seen, [...'abcdefghi'].map((name) => `./${name}.js`).concat('<computed>'))
  t.end()
})

t.test('each rule fails on a tree that breaks it', (t) => {
  const cases: [name: string, tree: Record<string, string>, fault: RegExp][] = [
    ['upwards', { 'oci/a.ts': "import '../engine/b.js'", 'engine/b.ts': '' }, /oci \(rank 0\) may not import engine/],
    [
      'upwards by type',
      { 'native/a.ts': "import type { B } from '../images/b.js'", 'images/b.ts': '' },
      /may not import images/,
    ],
    [
      'siblings of rank 2',
      { 'overlay/a.ts': "export * from '../cgroups/b.js'", 'cgroups/b.ts': '' },
      /never import each other/,
    ],
    [
      'siblings of rank 3',
      { 'runtime/a.ts': "type B = import('../images/b.js').B", 'images/b.ts': '' },
      /never import/,
    ],
    ['siblings of rank 5', { 'cli/a.ts': "await import('../api/b.js')", 'api/b.ts': '' }, /never import each other/],
    [
      'a cycle',
      { 'oci/a.ts': "import './b.js'", 'oci/b.ts': "import type {} from './a.js'" },
      /cycle: oci\/a.ts -> oci\/b.ts/,
    ],
    ['an unknown room', { 'util/a.ts': '' }, /util is no room/],
    ['out of src', { 'cli/a.ts': "import '../../test/b.js'" }, /is not in src/],
    ['the environment', { 'images/a.ts': 'process.env.HOME' }, /process.env below rank 4/],
    ['the environment, taken apart', { 'images/a.ts': 'const { env } = process' }, /process below rank 4/],
    ['the environment, imported', { 'images/a.ts': "import { env } from 'node:process'" }, /imports node:process/],
    ['output', { 'runtime/a.ts': "console.log('x')" }, /console below rank 4/],
    ['exit', { 'native/a.ts': 'process.exit(1)' }, /process.exit below rank 4/],
    ['a hidden direction', { 'oci/a.ts': 'await import(x)' }, /computed import/],
  ]
  for (const [name, tree, fault] of cases) {
    const nested: Record<string, Record<string, string>> = {}
    for (const [path, text] of Object.entries(tree)) {
      const [room = '', file = ''] = path.split('/')
      nested[room] = { ...nested[room], [file]: text }
    }
    const faults = importFaults(t.testdir(nested))
    t.equal(faults.length, 1, name)
    t.match(faults[0], fault, name)
  }
  t.end()
})

t.test('what is allowed is not reported', (t) => {
  const root = t.testdir({
    oci: { 'a.ts': "import '../errors/b.js'\nexport const pid = process.pid\nconst x = { console: 1 }\nx.console" },
    errors: { 'b.ts': "import { join } from 'node:path'" },
    cli: { 'c.ts': "import '../engine/d.js'\nconsole.log(process.env)" },
    engine: { 'd.ts': "import '../overlay/e.js'\nimport '../cgroups/f.js'\nprocess.env.X" },
    overlay: { 'e.ts': '' },
    cgroups: { 'f.ts': '' },
    'index.ts': "export * from './engine/d.js'",
  })
  t.strictSame(importFaults(root), [])
  t.end()
})

t.test('include rules fail on a tree that breaks them', (t) => {
  const root = t.testdir({
    sys: { 'a.h': '#include "mount/b.h"' },
    mount: { 'b.h': '#include <napi.h>\n#include "sys/a.h"' },
    napi: { 'c.cc': '#include <napi.h>\n#include "mount/b.h"' },
    init: { 'd.cc': '#include "../napi/c.cc"' },
    'addon.cc': '#include "napi/c.cc"\n#include <napi.h>',
  })
  t.strictSame(includeFaults(root), [
    'init/d.cc:1: init may not include napi',
    'mount/b.h:1: <napi.h> outside native/napi',
    'sys/a.h:1: sys may not include mount',
  ])
  t.end()
})

t.test('cycles are found once each', (t) => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['d']],
    ['e', ['a']],
  ])
  t.strictSame(findCycles(graph), ['a -> b -> c -> a', 'd -> d'])
  t.end()
})
