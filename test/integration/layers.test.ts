import t from 'tap'
import { layeredImage } from '../fixtures/images.js'
import { testEngine } from '../helpers/engine.js'

t.setTimeout(240_000)

t.test('images with 1, 20 and 200 layers run', async (t) => {
  const it = await testEngine(t)
  for (const count of [1, 20, 200]) {
    const [loaded] = await it.engine.load((await layeredImage(count)).layout)
    const container = await it.engine.run(loaded!.imageId, ['true'])
    t.match(await container.wait(), { exitCode: 0 }, `${count} layers`)
    await container.close()
  }
  await it.checkLeaks()
})
