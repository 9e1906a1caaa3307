import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Container } from '../../src/index.js'
import { collect, runToEnd, testEngine } from '../helpers/engine.js'

/** A stopped container that ran a shell command. */
async function stopped({ engine, image }: Awaited<ReturnType<typeof testEngine>>, script: string, options = {}) {
  const container = await engine.run(image, ['sh', '-c', script], { detached: true, ...options })
  t.equal((await container.wait()).exitCode, 0)
  return container
}

async function output(container: Container): Promise<string> {
  let text = ''
  for await (const entry of container.logs()) text += entry.data.toString()
  return text
}

t.test('a snapshot is the base of many containers, and its own container goes on', async (t) => {
  const test = await testEngine(t)
  const { engine, root } = test
  const container = await stopped(test, 'echo one > /data; mkdir /d; echo x > /d/x; rm /bin/true')
  const before = performance.now()
  const snapshot = await container.snapshot({ name: 'base' })
  t.comment(`snapshot() took ${(performance.now() - before).toFixed(1)} ms`)
  t.match(snapshot, { name: 'base', imageId: test.image, key: /^[0-9a-f]{32}$/ })
  t.same(await engine.snapshots.list(), [snapshot])
  t.same(await engine.snapshots.get(snapshot.key.slice(0, 8)), snapshot)
  await t.rejects(container.snapshot({ name: 'base' }), { code: 'ERR_JUBAKO_CONFLICT' })

  const inside = ['sh', '-c', 'cat /data /d/x; echo changed > /data; ls /bin/true 2>&1 >/dev/null | wc -l']
  for (let i = 0; i < 2; i++) {
    const run = await engine.run(snapshot, inside)
    const stdout = await collect(run.stdout)
    await run.wait()
    await run.close()
    t.equal(stdout, 'one\nx\n1\n', 'nobody sees what another one writes')
  }
  const other = await engine.run(snapshot, ['sh', '-c', 'echo two > /data'], { detached: true })
  await other.wait()
  const second = await other.snapshot()
  t.same(readdirSync(join(root, 'snapshots')).length, 2)

  // The record was changed on the disk: a handle from before starts with the new layers.
  await (await engine.container(container.id)).start()
  t.equal((await container.wait()).exitCode, 0, 'the same command again on top')

  await engine.snapshots.remove('base')
  await other.remove()
  t.same(await engine.snapshots.list(), [second])
  t.same(readdirSync(join(root, 'snapshots')).length, 2, 'the first is below the second, and below its container')
  const run = await engine.run(second, ['cat', '/data', '/d/x'])
  t.equal(await collect(run.stdout), 'two\nx\n')
  await run.wait()
  await run.close()
  await engine.snapshots.remove(second.key)
  t.same(readdirSync(join(root, 'snapshots')).length, 1)
  await container.remove()
  t.same(readdirSync(join(root, 'snapshots')), [], 'nothing needs it any more')
  await t.rejects(engine.run(second), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await test.checkLeaks()
})

t.test('a running container is not frozen', async (t) => {
  const test = await testEngine(t)
  const container = await test.engine.run(test.image, ['sleep', '100'], { detached: true })
  await t.rejects(container.snapshot(), { code: 'ERR_JUBAKO_STATE' })
  t.equal((await container.summary()).state, 'running')
  await container.remove({ force: true })
  await test.checkLeaks()
})

t.test('a stopped container becomes an image', async (t) => {
  const test = await testEngine(t)
  const { engine, root } = test
  const container = await stopped(test, 'echo one > /data; rm /bin/true; mkdir -m 700 /d', {
    env: ['A=1'],
    labels: { who: 'me' },
    workdir: '/tmp',
  })
  const blobs = readdirSync(join(root, 'blobs/sha256')).length
  const { imageId, reference } = await container.commit({
    reference: 'made',
    author: 'An Author',
    message: 'a message',
    changes: ['CMD ["cat", "/data"]', 'EXPOSE 80'],
  })
  t.equal(reference, 'docker.io/library/made:latest')
  t.equal(readdirSync(join(root, 'blobs/sha256')).length, blobs + 2, 'a configuration and a manifest, no archive')
  const config = JSON.parse(readFileSync(join(root, 'blobs/sha256', imageId.slice(7)), 'utf8'))
  t.match(config, {
    author: 'An Author',
    config: {
      Cmd: ['cat', '/data'],
      WorkingDir: '/tmp',
      Labels: { who: 'me' },
      ExposedPorts: { '80/tcp': {} },
    },
  })
  t.ok(config.config.Env.includes('A=1'))
  t.notOk(
    config.config.Env.some((entry: string) => entry.startsWith('HOSTNAME=')),
    'not what every container gets',
  )
  t.match(config.history.at(-1), { author: 'An Author', comment: 'a message', created_by: /^sh -c echo one/ })
  t.equal(
    config.rootfs.diff_ids.length,
    config.history.filter((step: { empty_layer?: boolean }) => !step.empty_layer).length,
  )
  t.equal((await runToEnd({ ...test, image: 'made' }, [])).stdout, 'one\n')

  // The container goes on, and what it writes is not the image's.
  t.equal((await runToEnd({ ...test, image: 'made' }, ['sh', '-c', 'ls /bin/true; stat -c %a /d'])).stdout, '700\n')
  await container.start()
  await container.wait()
  const again = await container.commit({ reference: 'made:2' })
  t.not(again.imageId, imageId)
  t.equal((await runToEnd({ ...test, image: 'made:2' }, ['cat', '/data'])).stdout, 'one\n')
  const empty = await container.commit()
  t.equal(empty.reference, null)
  const layers = (id: string) =>
    JSON.parse(readFileSync(join(root, 'blobs/sha256', id.slice(7)), 'utf8')).rootfs.diff_ids as string[]
  t.same(layers(empty.imageId), layers(again.imageId), 'nothing new, no new layer')

  // An image on an image on snapshots, after the first container went.
  await container.remove()
  const next = await stopped({ ...test, image: 'made' }, 'echo three > /three')
  const { imageId: third } = await next.commit({ reference: 'made:3' })
  t.equal(layers(third).length, layers(imageId).length + 1)
  await next.remove()
  for (const name of ['made:2', 'made', empty.imageId]) await engine.removeImage(name)
  t.equal((await runToEnd({ ...test, image: 'made:3' }, ['cat', '/data', '/three'])).stdout, 'one\nthree\n')
  await engine.removeImage('made:3')
  t.same(readdirSync(join(root, 'snapshots')), [])
  await test.checkLeaks()
})

t.test('a running container stands still while its layer is copied', async (t) => {
  const test = await testEngine(t)
  const script =
    'echo one > /data; ln /data /same; echo ready; i=0; while :; do i=$((i+1)); echo $i > /n.tmp; mv /n.tmp /n; done'
  for (const pause of [true, false]) {
    const container = await test.engine.run(test.image, ['sh', '-c', script], { detached: true })
    while (!(await output(container)).includes('ready')) await new Promise((resolve) => setTimeout(resolve, 20))
    await container.commit({ reference: 'copy', pause })
    t.equal((await container.summary()).state, 'running')
    const { stdout } = await runToEnd({ ...test, image: 'copy' }, [
      'sh',
      '-c',
      'cat /data; test /data -ef /same && echo linked',
    ])
    t.equal(stdout, 'one\nlinked\n')
    await container.pause()
    await container.commit({ reference: 'copy' })
    t.equal((await container.summary()).state, 'paused', 'one that was paused stays so')
    await container.remove({ force: true })
  }
  t.same(readdirSync(join(test.root, 'ingest')), [])
  await test.checkLeaks()
})

t.test('mistakes', async (t) => {
  const test = await testEngine(t)
  const container = await stopped(test, 'true')
  await t.rejects(container.commit({ reference: 'UPPER' }), { code: 'ERR_JUBAKO_INVALID_REFERENCE' })
  await t.rejects(container.commit({ changes: ['RUN x'] }), { message: /run is not a valid change command/ })
  writeFileSync(join(test.root, 'containers', container.id, 'upper/.wh.x'), '')
  await t.rejects(container.commit(), { code: 'ERR_JUBAKO_UNSUPPORTED', message: /\.wh\.x/ })
  await container.remove()
  await test.checkLeaks()
})
