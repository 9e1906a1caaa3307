import { vmTimeoutMs } from './lanes.mjs'

const BOOT_MS = 60_000

/**
 * Boots one VM and runs the test files in it.
 *
 * @param {import('./lanes.mjs').TestFile[]} files
 * @param {import('./report.mjs').Report} report
 */
export async function runVmLane(files, report) {
  const { runInVm } = await import('../../dist/test/vm/vm.js')
  const { testCache } = await import('../../dist/test/helpers/cache.js')
  const waiting = new Map(files.map((file) => [file.compiled, file]))
  let rest = ''
  const take = (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const run = line.startsWith('{') ? JSON.parse(line) : undefined
      const file = waiting.get(run?.file)
      if (file === undefined) {
        console.log(`[vm] ${line}`)
        continue
      }
      waiting.delete(file.compiled)
      report.add('vm', file.name, run)
    }
  }
  const list = files.map((file) => ({ compiled: file.compiled, timeoutMs: vmTimeoutMs(file) }))
  const quoted = JSON.stringify(list).replaceAll("'", "'\\''")
  const result = await runInVm(`exec node scripts/lib/vm-guest.mjs '${quoted}'`, {
    timeoutMs: BOOT_MS + list.reduce((sum, { timeoutMs }) => sum + timeoutMs, 0),
    env: { CI: 'true', JUBAKO_TEST_CACHE: testCache() },
    onOutput: take,
  })
  for (const { name } of waiting.values()) report.fail(`${name} [vm]: the VM ended before it ran`)
  if (result.ended !== 'exit' || result.exitCode !== 0) {
    report.fail(`the VM ended with ${result.ended}, exit code ${result.exitCode}`)
    console.log(result.console.slice(-8000).replace(/^(?=.)/gm, '     | '))
  }
}
