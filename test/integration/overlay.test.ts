// lanes: host
// Overlay mounts for users of the library.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mountOverlay, overlay } from '../../src/overlay/index.js'
import { temporaryDirectory } from '../helpers/image-store.js'

const mounts = () => readFileSync('/proc/self/mounts', 'utf8')

t.test('many layers, read-only and writable', async (t) => {
  const base = temporaryDirectory(t)
  const at = (name: string) => {
    mkdirSync(join(base, name), { recursive: true })
    return join(base, name)
  }
  const lowers = Array.from({ length: 200 }, (_, i) => at(`layers/${i}`))
  for (const [i, lower] of lowers.entries()) writeFileSync(join(lower, `${i}`), `${i}`)
  const target = at('root')
  const cwd = process.cwd()
  {
    await using mounted = await mountOverlay(overlay({ lowers }), target)
    t.equal(readdirSync(mounted.target).length, 200)
    t.throws(() => writeFileSync(join(target, 'x'), ''), { code: 'EROFS' })
    await t.rejects(mountOverlay(overlay({ lowers }), join(base, 'none')), {
      code: 'ERR_JUBAKO_SYSTEM',
      errnoName: 'ENOENT',
    })
  }
  t.notMatch(mounts(), base)
  const mounted = await mountOverlay(overlay({ lowers, upper: at('upper'), work: at('work') }), target)
  writeFileSync(join(target, '7'), 'changed')
  await mounted.unmount()
  await mounted.unmount()
  t.equal(readFileSync(join(base, 'upper/7'), 'utf8'), 'changed')
  t.equal(readFileSync(join(base, 'layers/7/7'), 'utf8'), '7')
  t.notMatch(mounts(), base)
  t.equal(process.cwd(), cwd)
})

t.test('what cannot be mounted', async (t) => {
  const base = temporaryDirectory(t)
  const value = overlay({ lowers: [join(base, 'none')] })
  await t.rejects(mountOverlay(value, base), { code: 'ERR_JUBAKO_SYSTEM', syscall: 'fsconfig' })
  await t.rejects(mountOverlay(value, 'relative'), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  t.throws(() => overlay({ lowers: ['relative'] }), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  t.notMatch(mounts(), base)
})
