import { mkdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { busyboxImage, layeredImage } from '../fixtures/images.js'
import { startRegistry } from '../fixtures/registry.js'
import { tool } from '../helpers/processes.js'

interface Inspection {
  Layers: string[]
  Name: string
}

const inspect = async (...words: string[]) => JSON.parse(await tool('skopeo', ['inspect', ...words])) as Inspection

t.setTimeout(120_000)

t.test('skopeo reads what the fixtures write', async (t) => {
  const cache = t.testdir()
  for (const compression of ['gzip', 'zstd'] as const) {
    const image = await layeredImage(20, { cache, compression })
    t.equal((await inspect(`oci:${image.layout}:latest`)).Layers.length, 20)
    t.equal((await inspect(`oci-archive:${await image.ociArchive()}`)).Layers.length, 20)
  }
  const image = await busyboxImage({ cache })
  t.equal((await inspect(`docker-archive:${await image.dockerArchive()}`)).Layers.length, 1)
  t.equal((await busyboxImage({ cache })).layout, image.layout, 'built once')
})

t.test('unpacking by tar gives the layers their contents', async (t) => {
  const image = await layeredImage(20)
  const index = JSON.parse(readFileSync(join(image.layout, 'index.json'), 'utf8'))
  const blob = (digest: string) => join(image.layout, 'blobs', ...digest.split(':'))
  const manifest = JSON.parse(readFileSync(blob(index.manifests[0].digest), 'utf8'))
  const root = join(t.testdir(), 'root')
  mkdirSync(root)
  await tool('tar', ['-xzf', blob(manifest.layers[7].digest), '-C', root])
  t.equal(readFileSync(join(root, 'layers/6'), 'utf8'), 'layer 6\n')
  t.equal(readFileSync(join(root, 'layers/.wh.2'), 'utf8'), '')
})

t.test('a registry over http is filled and emptied', async (t) => {
  const registry = await startRegistry({ program: 'docker-registry' })
  t.teardown(() => registry.close())
  const reference = await registry.push(await busyboxImage(), 'some/where', 'v1')
  t.equal(reference, `${registry.address}/some/where:v1`)
  t.equal((await inspect('--tls-verify=false', `docker://${reference}`)).Name, `${registry.address}/some/where`)
})

t.test('a registry over https has a certificate that can be trusted', async (t) => {
  const registry = await startRegistry({ program: 'docker-registry', tls: true })
  t.teardown(() => registry.close())
  await registry.push(await busyboxImage(), 'x')
  const ca = readFileSync(registry.certificate ?? '')
  const status = await new Promise((settle, fail) => {
    request(`https://${registry.address}/v2/x/tags/list`, { ca, agent: false }, (response) => {
      response.resume()
      settle(response.statusCode)
    })
      .on('error', fail)
      .end()
  })
  t.equal(status, 200)
})
