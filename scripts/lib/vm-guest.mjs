// Runs inside the test VM: the test files named in the JSON argument, one by one; prints one JSON line for each.
import { runFile } from './tap.mjs'

for (const { compiled, timeoutMs } of JSON.parse(process.argv[2])) {
  process.stdout.write(`${JSON.stringify(await runFile(compiled, { timeoutMs }))}\n`)
}
