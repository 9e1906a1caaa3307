// A program for tests: runs `sleep` in a container, owned or detached, prints its id and waits to be killed.
import { setTimeout as sleep } from 'node:timers/promises'
import { Engine } from '../../src/index.js'

const [root, runRoot, image, mode] = process.argv.slice(2) as [string, string, string, string]
const engine = await Engine.open({ root, runRoot })
const container = await engine.run(image, ['sleep', '100'], { detached: mode === 'detached' })
console.log(container.id)
await sleep(60_000)
