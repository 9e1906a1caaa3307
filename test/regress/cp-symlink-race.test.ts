// CVE-2018-15664, CVE-2019-14271, CVE-2020-27151 and their like: a container that swaps a directory for a link to the
// host while files are copied. Copying by path names reads and writes the host's files; the control shows that the link
// this container makes does lead there.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { isJubakoError } from '../../src/index.js'
import { file, tar } from '../fixtures/tar.js'
import { collect, testEngine } from '../helpers/engine.js'

const ROUNDS = 30

t.test('links that change while files are copied lead nowhere out of the container', async (t) => {
  const it = await testEngine(t)
  const secret = mkdtempSync(join(tmpdir(), 'jubako-host-'))
  const out = mkdtempSync(join(tmpdir(), 'jubako-out-'))
  t.teardown(() => {
    for (const path of [secret, out]) rmSync(path, { recursive: true, force: true })
  })
  writeFileSync(join(secret, 'file'), 'of the host')
  // /race is a directory with a file of its own, nothing, or a link to a directory that is on the host only.
  const swap = `mkdir -p /race.d; echo own >/race.d/file; ln -s ${secret} /race.l
    while :; do mv -T /race.d /race; mv -T /race /race.d; mv -T /race.l /race; mv -T /race /race.l; done`
  const container = await it.engine.run(it.image, ['sh', '-c', swap], { detached: true })
  const { pid } = await container.summary()
  let control = false
  for (const end = Date.now() + 20_000; !control && Date.now() < end; )
    control = readsHost(`/proc/${pid}/root/race/file`)
  t.ok(control, 'by its name the path leads to the host')
  for (let round = 0; round < ROUNDS; round++) {
    await container.copyIn('/race', Readable.from([tar(file('written'), file('deep/er/written'))])).catch(expected)
    const copied = await container
      .copyOut('/race/file')
      .then(({ stream }) => collect(stream))
      .catch(expected)
    t.notMatch(copied ?? '', 'of the host')
    const whole = await container
      .copyOut('/race', { follow: true })
      .then(({ stream }) => collect(stream))
      .catch(expected)
    t.notMatch(whole ?? '', 'of the host')
    await container.files.copyToHost('/race', { directory: out }, { name: 'race' }).catch(expected)
  }
  t.same(readdirSync(secret), ['file'], 'nothing was written to the host')
  t.equal(readFileSync(join(secret, 'file'), 'utf8'), 'of the host')
  await container.remove({ force: true })
  await it.checkLeaks()
})

function readsHost(path: string): boolean {
  try {
    return readFileSync(path, 'utf8') === 'of the host'
  } catch {
    return false
  }
}

/** What cannot be found at that moment, or is a directory's place taken. Anything else fails the test. */
function expected(error: unknown): undefined {
  if (isJubakoError(error)) return undefined
  throw error
}
