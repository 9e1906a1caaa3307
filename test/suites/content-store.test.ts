import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ContentStore, FileLock } from '../../src/content/index.js'
import { type Digest, digestOf } from '../../src/oci/index.js'

function freshStore(t: Test): ContentStore {
  const root = mkdtempSync(join(tmpdir(), 'jubako-content-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  return new ContentStore(root)
}

const ingests = (store: ContentStore) => readdirSync(join(store.root, 'ingest'))
const DATA = Buffer.from('0123456789'.repeat(200_000))
const DIGEST = digestOf(DATA)

/** Runs a module's text in another Node process, with the store's root as argument. */
function inOtherProcess(store: ContentStore, body: string) {
  const content = new URL('../../src/content/index.js', import.meta.url).href
  const text = `import { ContentStore, FileLock } from ${JSON.stringify(content)}
    const store = new ContentStore(process.argv[1]); const DIGEST = '${DIGEST}'; ${body}`
  return spawn(process.execPath, ['--input-type=module', '-e', text, store.root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

t.test('content gets its name when it is whole', async (t) => {
  const store = freshStore(t)
  const ingest = (await store.ingest({ digest: DIGEST, size: DATA.length }))!
  await ingest.write(DATA.subarray(0, 1_000_000))
  t.notOk(store.has(DIGEST))
  await ingest.write(DATA.subarray(1_000_000))
  t.equal(await ingest.commit(), DIGEST)
  t.equal(store.sizeOf(DIGEST), DATA.length)
  t.ok((await store.read(DIGEST, DATA.length)).equals(DATA))
  t.same(ingests(store), [])
  t.equal(await store.ingest({ digest: DIGEST }), undefined, 'is not written twice')
  t.equal(statSync(store.pathOf(DIGEST)).mode & 0o077, 0, 'nobody else may read it')
  const listed = []
  for await (const item of store.list()) listed.push(item.digest)
  t.same(listed, [DIGEST])
  await store.remove(DIGEST)
  await store.remove(DIGEST)
  t.notOk(store.has(DIGEST))
})

t.test('wrong content never gets a name', async (t) => {
  const store = freshStore(t)
  const wrong = Buffer.from(DATA)
  wrong[5] = 0
  for (const data of [wrong, DATA.subarray(1)]) {
    const ingest = (await store.ingest({ digest: DIGEST, size: DATA.length }))!
    await ingest.write(data)
    await t.rejects(ingest.commit(), { code: 'ERR_JUBAKO_INTEGRITY' })
    t.equal(ingest.offset, 0, 'begins again')
    await ingest.suspend()
  }
  const ingest = (await store.ingest({ digest: DIGEST, size: DATA.length }))!
  await ingest.write(DATA)
  await t.rejects(ingest.write(Buffer.from('x')), { code: 'ERR_JUBAKO_LIMIT_EXCEEDED' })
  await ingest.abort()
  t.notOk(store.has(DIGEST))
  t.same(ingests(store), [])
  const unknown = store.ingestUnknown(10)
  await t.rejects(unknown.write(DATA), { code: 'ERR_JUBAKO_LIMIT_EXCEEDED' })
  await unknown.abort()
})

t.test('a sha512 digest', async (t) => {
  const store = freshStore(t)
  const digest = digestOf(DATA, 'sha512')
  const ingest = (await store.ingest({ digest }))!
  await ingest.write(DATA)
  t.equal(await ingest.commit(), digest)
  t.ok((await store.read(digest, DATA.length)).equals(DATA))
})

t.test('reads are capped and verified', async (t) => {
  const store = freshStore(t)
  const digest = await store.put(Buffer.from('hello'))
  t.equal(digest, `sha256:${createHash('sha256').update('hello').digest('hex')}`)
  t.equal(store.readSync(digest, 5).toString(), 'hello')
  await t.rejects(store.read(digest, 4), { code: 'ERR_JUBAKO_LIMIT_EXCEEDED' })
  await t.rejects(store.read(DIGEST, 4), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await t.rejects(store.open(DIGEST), { code: 'ERR_JUBAKO_NOT_FOUND' })
  writeFileSync(store.pathOf(digest), 'HELLO')
  await t.rejects(store.read(digest, 5), { code: 'ERR_JUBAKO_INTEGRITY', hint: /pull it again/ })
  t.throws(() => store.readSync(digest, 5), { code: 'ERR_JUBAKO_INTEGRITY' })
})

t.test('a killed writer leaves a part that another process continues', async (t) => {
  const store = freshStore(t)
  const child = inOtherProcess(
    store,
    `const ingest = await store.ingest({ digest: DIGEST, size: ${DATA.length} })
     await ingest.write(Buffer.from('0123456789'.repeat(100_000))); await ingest.flush()
     console.log('written'); setInterval(() => {}, 1000)`,
  )
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const waited: number[] = []
  const waiting = store.ingest({ digest: DIGEST, size: DATA.length }, { onWait: () => waited.push(1) })
  await sleep(30)
  t.same(waited, [1], 'its owner lives: we wait')
  const controller = new AbortController()
  const aborted = store.ingest({ digest: DIGEST }, { signal: controller.signal })
  controller.abort()
  await t.rejects(aborted, { code: 'ERR_JUBAKO_ABORTED' })
  child.kill('SIGKILL')
  const ingest = (await waiting)!
  t.equal(ingest.offset, 1_000_000, 'goes on where the other stopped')
  await ingest.write(DATA.subarray(ingest.offset))
  t.equal(await ingest.commit(), DIGEST)
})

t.test('many processes that want one content share one writer', async (t) => {
  const store = freshStore(t)
  const body = `const ingest = await store.ingest({ digest: DIGEST })
    if (ingest) { await ingest.write(Buffer.from('0123456789'.repeat(200_000))); await ingest.commit() }
    console.log(ingest ? 'wrote' : 'found')`
  const answers = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const child = inOtherProcess(store, body)
      let text = ''
      for await (const chunk of child.stdout) text += chunk
      return text.trim()
    }),
  )
  t.same(answers.sort(), ['found', 'found', 'found', 'found', 'wrote'])
  t.ok(readFileSync(store.pathOf(DIGEST)).equals(DATA))
  t.same(ingests(store), [])
})

t.test('sweeping spares the living and the young', async (t) => {
  const store = freshStore(t)
  const directory = join(store.root, 'ingest')
  const old = (name: string) => {
    writeFileSync(join(directory, name), 'x')
    utimesSync(join(directory, name), 1, 1)
    return name
  }
  const young = digestOf('young').replace(':', '-')
  writeFileSync(join(directory, young), 'x')
  old(digestOf('old').replace(':', '-'))
  old('tmp-dead')
  old('something-else')
  const living = store.ingestUnknown()
  await store.sweep()
  t.same(ingests(store).sort(), ['something-else', young, living.path.split('/').at(-1)!].sort())
  await living.write(Buffer.from('a'))
  t.equal(await living.commit(), digestOf('a') as Digest)
})

t.test('locks', async (t) => {
  const store = freshStore(t)
  const path = join(store.root, 'lock')
  const one = FileLock.tryAcquire(path, 'shared')!
  const two = FileLock.tryAcquire(path, 'shared')!
  t.equal(FileLock.tryAcquire(path), undefined)
  one.release()
  t.equal(FileLock.tryAcquire(path), undefined)
  const next = FileLock.acquire(path)
  two.releaseAndRemove()
  const three = await next
  t.ok(existsSync(path), 'a new file took the place of the removed one')
  t.equal(FileLock.tryAcquire(path, 'shared'), undefined)
  three.release()
  three.release()
  t.ok(FileLock.tryAcquire(path))
})
