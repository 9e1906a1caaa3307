// lanes: host
import { createHash } from 'node:crypto'
import { createWriteStream, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { Engine } from '../../src/engine/engine.js'
import { layerPacker, layerUnpacker } from '../../src/engine/unpacker.js'
import { ImageStore } from '../../src/images/index.js'
import { busyboxImage } from '../fixtures/images.js'
import { startRegistry } from '../fixtures/registry.js'
import { runToEnd, testEngine } from '../helpers/engine.js'
import { tool } from '../helpers/processes.js'

t.test('what was committed is the same image elsewhere: by push and pull, by save and load, for skopeo', async (t) => {
  const test = await testEngine(t)
  const { engine, root } = test
  await using registry = await startRegistry()
  const container = await engine.run(test.image, ['sh', '-c', 'echo one > /data; rm /bin/true'], { detached: true })
  await container.wait()
  const name = `${registry.address}/made:1`
  const { imageId } = await container.commit({ reference: name })
  await container.remove()

  const chainId = (await images(root)).resolve(name).chainIds.at(-1)!
  const hash = createHash('sha256')
  for await (const chunk of images(root).layerTar(chainId)) hash.update(chunk)
  t.equal(`sha256:${hash.digest('hex')}`, images(root).resolve(name).diffIds.at(-1))

  const [pushed] = await engine.push(name)
  t.equal(images(root).resolve(name).id, imageId)
  const other = await testEngine(t)
  const pulled = await other.engine.pull(name)
  t.match(pulled, { imageId, digest: pushed!.digest })
  t.equal(
    (await runToEnd({ ...other, image: name }, ['sh', '-c', 'cat /data; ls /bin/true 2>&1 | wc -l'])).stdout,
    'one\n1\n',
  )
  const again = await other.engine.push(name)
  t.same(again, [pushed], 'nothing changes on the way')

  const inspected = JSON.parse(
    await tool('skopeo', ['inspect', '--tls-verify=false', '--config', `docker://${name}`]),
  ) as { rootfs: { diff_ids: string[] } }
  t.same(inspected.rootfs.diff_ids, images(root).resolve(name).diffIds)
  const archive = join(root, 'saved.tar')
  await pipeline(await engine.images.save(name), createWriteStream(archive))
  await tool('skopeo', ['copy', '-q', `docker-archive:${archive}`, `oci:${join(root, 'oci')}:one`])
  const third = await testEngine(t)
  t.match(await third.engine.load(archive), [{ imageId }])
  await test.checkLeaks().catch(() => undefined)
})

t.test('dropped archives: the layers run, and a push says that the digest is new', async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'jubako-drop-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const [root, runRoot] = [join(base, 'root'), join(base, 'run')]
  await using engine = await Engine.open({ root, runRoot, dropBlobs: true })
  await using registry = await startRegistry()
  await engine.load((await busyboxImage()).layout)
  const image = (await engine.images())[0]!
  const sizes = readdirSync(join(root, 'blobs/sha256')).map((hex) => statSync(join(root, 'blobs/sha256', hex)).size)
  t.ok(Math.max(...sizes) < 10_000, 'only documents')
  const run = await engine.run(image.id, ['true'])
  t.equal((await run.wait()).exitCode, 0)
  await run.close()
  const name = `${registry.address}/dropped:1`
  await engine.tag(image.id, name)
  const lines: string[] = []
  const [pushed] = await engine.push(name, { onProgress: ({ status }) => lines.push(status) })
  t.ok(
    lines.some((line) => line.startsWith('The digest is new')),
    lines.join('\n'),
  )
  const other = await testEngine(t)
  t.equal((await other.engine.pull(name)).digest, pushed!.digest)
  t.equal((await runToEnd({ ...other, image: name }, ['echo', 'runs'])).stdout, 'runs\n')
})

function images(root: string): ImageStore {
  return ImageStore.open({ root, unpacker: layerUnpacker, packer: layerPacker })
}
