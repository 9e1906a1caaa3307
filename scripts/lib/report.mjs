import { isAllowed } from './skips.mjs'
import { judge } from './tap.mjs'

/** Gathers the verdicts of a run and prints them. */
export class Report {
  passed = 0
  failed = 0
  /** @type {{ lane: string, file: string, name: string, reason: string, allowed: boolean }[]} */
  skips = []

  /** @param {string} lane @param {string} file @param {import('./tap.mjs').FileRun} run */
  add(lane, file, run) {
    const { passed, failures, skips } = judge(run)
    this.passed += passed
    this.failed += failures.length
    for (const skip of skips) {
      const row = { lane, file, ...skip }
      this.skips.push({ ...row, allowed: isAllowed(row) })
    }
    const label = lane === 'host' ? file : `${file} [${lane}]`
    const seconds = (run.ms / 1000).toFixed(1)
    const skipped = skips.length > 0 ? `, ${skips.length} skipped` : ''
    console.log(`${failures.length > 0 ? 'FAIL' : 'ok  '} ${label} (${passed} passed${skipped}, ${seconds} s)`)
    if (failures.length === 0) return
    for (const failure of failures) console.log(`     ${failure}`)
    console.log(run.output.replace(/^(?=.)/gm, '     | '))
  }

  fail(what) {
    this.failed++
    console.log(`FAIL ${what}`)
  }

  /** Prints the skips and the last line; says whether the run was good. */
  finish() {
    for (const { lane, file, name, reason, allowed } of this.skips) {
      const why = reason === '' ? 'no reason given' : reason
      console.log(`${allowed ? 'skipped' : 'UNEXPECTED SKIP'}: ${file} [${lane}] ${name}: ${why}`)
    }
    const unexpected = this.skips.filter(({ allowed }) => !allowed).length
    if (unexpected > 0) console.log(`${unexpected} unexpected skips (scripts/lib/skips.mjs lists those that may be)`)
    console.log(`${this.passed} passed, ${this.failed} failed, ${this.skips.length} skipped`)
    return this.failed === 0 && unexpected === 0 && this.passed > 0
  }
}
