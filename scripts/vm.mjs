// `npm run vm -- [-m MiB] [-t SECONDS] 'shell command'`: runs it in the test VM and ends with its exit code.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensurePackages } from './lib/apt.mjs'
import { TEST_PACKAGES } from './lib/packages.mjs'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'

await main(async () => {
  const { values, positionals } = parseArgs({
    options: { memory: { type: 'string', short: 'm' }, timeout: { type: 'string', short: 't' } },
    allowPositionals: true,
  })
  if (positionals.length === 0) throw new Error("usage: npm run vm -- [-m MiB] [-t SECONDS] 'shell command'")
  ensurePackages(TEST_PACKAGES, 'run the VM')
  runQuietly(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--ts'], { what: 'the build' })
  const { runInVm } = await import('../dist/test/vm/vm.js')
  const result = await runInVm(positionals.join(' '), {
    cwd: process.cwd(),
    ...(values.memory ? { memoryMiB: Number(values.memory) } : {}),
    ...(values.timeout ? { timeoutMs: Number(values.timeout) * 1000 } : {}),
    onOutput: (text) => process.stdout.write(text),
  })
  if (result.ended !== 'exit') throw new Error(`the VM ended with a ${result.ended}\n${result.console.slice(-4000)}`)
  process.exitCode = result.exitCode
})
