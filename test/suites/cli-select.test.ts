import t from 'tap'
import { filterContainers } from '../../src/cli/select/containers.js'
import { filterImages } from '../../src/cli/select/images.js'
import { parseFilter } from '../../src/cli/values/filter.js'
import type { ContainerSummary, ImageSummary } from '../../src/engine/types.js'

const container = (name: string, createdAt: number, more: Partial<ContainerSummary> = {}): ContainerSummary => ({
  id: `${name}-id`,
  name,
  image: 'debian:12',
  imageId: 'sha256:1',
  command: ['true'],
  createdAt,
  state: 'running',
  startedAt: createdAt,
  finishedAt: null,
  exitCode: null,
  labels: {},
  pid: 1,
  mounts: [],
  networks: ['none'],
  ...more,
})

const containers = [
  container('web-1', 1, { labels: { tier: 'front', x: '' }, mounts: ['/data'] }),
  container('web-2', 2, { labels: { tier: 'back' }, state: 'exited', exitCode: 3 }),
  container('db', 3, { image: 'other', imageId: 'sha256:2', networks: ['host'], state: 'paused' }),
]

const engine = {
  inspectImage: async (name: string) => {
    if (name !== 'deb') throw new Error('No such image')
    return { Id: 'sha256:1' }
  },
  container: async (name: string) => {
    const found = containers.find((it) => it.name === name)
    if (found === undefined) throw new Error(`No such container: ${name}`)
    return found
  },
}

t.test('containers', async (t) => {
  const names = async (...filters: string[]) =>
    (await filterContainers(containers, filters.map(parseFilter), engine)).map(({ name }) => name).join(' ')
  const cases: [filters: string[], names: string][] = [
    [[], 'web-1 web-2 db'],
    [['name=web'], 'web-1 web-2'],
    [['name=^web-1$'], 'web-1'],
    [['name=^/web-1$'], 'web-1'],
    [['name=web-[2'], ''],
    [['name=web-1', 'name=db'], 'web-1 db'],
    [['id=db'], 'db'],
    [['label=tier'], 'web-1 web-2'],
    [['label=tier=back'], 'web-2'],
    [['label=tier', 'label=x'], 'web-1'],
    [['label!=tier=back'], 'web-1 db'],
    [['status=exited', 'status=paused'], 'web-2 db'],
    [['exited=3'], 'web-2'],
    [['exited=4'], ''],
    [['ancestor=deb'], 'web-1 web-2'],
    [['ancestor=other'], 'db'],
    [['before=db'], 'web-1 web-2'],
    [['since=web-1'], 'web-2 db'],
    [['network=host'], 'db'],
    [['volume=/data'], 'web-1'],
    [['name=web', 'status=running'], 'web-1'],
    [['label=constructor'], ''],
  ]
  for (const [filters, expected] of cases) t.equal(await names(...filters), expected, filters.join(' '))
  for (const bad of ['bogus=1', 'status=well', 'exited=x', 'before=gone', 'constructor=1'])
    await t.rejects(names(bad), bad)
})

t.test('images', (t) => {
  const image = (id: string, createdAt: number, tags: string[], labels = {}): ImageSummary => ({
    id: `sha256:${id}`,
    tags,
    digests: [],
    createdAt,
    size: 1,
    labels,
    architecture: 'amd64',
    os: 'linux',
  })
  const images = [
    image('a', 1, ['debian:12', 'my/debian:13']),
    image('b', 2, ['localhost:5000/app:latest'], { x: '1' }),
    image('c', 3, []),
  ]
  const found = (...filters: string[]) =>
    filterImages(images, filters.map(parseFilter)).map(({ id, tags }) => [id.slice(7), ...tags].join(' '))
  t.strictSame(found('reference=debian'), ['a debian:12'])
  t.strictSame(found('reference=*/debian'), ['a my/debian:13'])
  t.strictSame(found('reference=deb*:1?', 'reference=localhost:5000/*'), ['a debian:12', 'b localhost:5000/app:latest'])
  t.strictSame(found('reference=d.bian'), [])
  t.strictSame(found('dangling=true'), ['c'])
  t.strictSame(found('dangling=false', 'label=x'), ['b localhost:5000/app:latest'])
  t.strictSame(found('label!=x'), ['a debian:12 my/debian:13', 'c'])
  t.strictSame(found('before=sha256:b'), ['a debian:12 my/debian:13'])
  t.strictSame(found('since=localhost:5000/app'), ['c'])
  t.throws(() => found('bogus=1'), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  t.throws(() => found('before=gone'), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  t.end()
})
