// A program for tests that kill it: makes, starts, executes in, stops, renames and removes containers until it is dead.
import { Engine } from '../../src/index.js'

const [root, runRoot, image, seed] = process.argv.slice(2) as [string, string, string, string]
const engine = await Engine.open({ root, runRoot })
console.log('ready')
for (let i = 0; ; i++) {
  const name = `k${seed}-${i}`
  const temporary = engine.run(image, ['sh', '-c', 'echo line; exit 7'], { detached: true, autoRemove: true })
  const owned = engine.run(image, ['sleep', '1000'])
  const kept = await engine.run(image, ['sh', '-c', 'echo first; sleep 0.05; echo last; exit 3'], {
    detached: true,
    name,
    ...(i % 2 === 0 && { restart: { policy: 'on-failure', maxRetries: 1 } }),
  })
  const exec = await kept.exec(['true']).catch(() => undefined)
  exec?.stdout?.resume()
  exec?.stderr?.resume()
  await kept.rename(`${name}-renamed`)
  await (await owned).close()
  await (await temporary).wait()
  if (i % 3 === 0) await kept.remove({ force: true })
}
