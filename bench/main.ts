/** Program: `npm run bench -- [--rounds N] [--only SECTION[,SECTION]] [--output FILE] [--work DIRECTORY]`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Section } from './context.js'
import { machineFacts } from './facts.js'
import { documentText, sectionText } from './report.js'
import { apiSection } from './sections/api.js'
import { buildSection } from './sections/build.js'
import { commitSection } from './sections/commit.js'
import { growthSection } from './sections/growth.js'
import { imagesSection } from './sections/images.js'
import { lifeSection } from './sections/life.js'
import { lifeShellSection } from './sections/life-shell.js'
import { memorySection } from './sections/memory.js'
import { networkSection } from './sections/network.js'
import { processSection } from './sections/process.js'
import { pullSection } from './sections/pull.js'
import { pushSection } from './sections/push.js'
import { registrySection } from './sections/registry.js'
import { shellSection } from './sections/shell.js'
import { startSection } from './sections/start.js'
import { unpackSection } from './sections/unpack.js'

const SECTIONS: Readonly<Record<string, Section>> = {
  start: startSection,
  growth: growthSection,
  process: processSection,
  memory: memorySection,
  shell: shellSection,
  life: lifeSection,
  'life-shell': lifeShellSection,
  network: networkSection,
  unpack: unpackSection,
  pull: pullSection,
  commit: commitSection,
  push: pushSection,
  images: imagesSection,
  build: buildSection,
  api: apiSection,
  registry: registrySection,
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    only: { type: 'string', multiple: true },
    output: { type: 'string' },
    work: { type: 'string', default: '/var/tmp' },
  },
})
const rounds = Number(values.rounds)
const names = values.only?.flatMap((list) => list.split(',')) ?? Object.keys(SECTIONS)
const unknown = names.find((name) => !(name in SECTIONS))
if (unknown !== undefined || !(rounds >= 1)) {
  console.error(
    `usage: npm run bench -- [--rounds N] [--only ${Object.keys(SECTIONS).join('|')}] [--output FILE] [--work DIRECTORY]`,
  )
  process.exit(2)
}
mkdirSync(values.work, { recursive: true })
const work = mkdtempSync(join(values.work, 'jubako-bench-'))
const texts: string[] = []
try {
  for (const name of names) {
    console.error(`measuring: ${name}`)
    const result = await SECTIONS[name]?.({ work, rounds, log: (line) => console.error(line) })
    if (result === undefined) continue
    texts.push(sectionText(result))
    console.log(`${texts.at(-1)}\n`)
  }
  // A part of the whole is shown, not written, unless a file is named.
  const output = values.output ?? (values.only === undefined ? 'docs/benchmarks.md' : undefined)
  if (output !== undefined) writeFileSync(output, documentText(machineFacts(work), rounds, texts))
} finally {
  rmSync(work, { recursive: true, force: true })
}
