import t from 'tap'
import { imageTree } from '../../src/cli/format/image-tree.js'
import { filterContainers } from '../../src/cli/select/containers.js'
import { filterImages } from '../../src/cli/select/images.js'
import { pruneFilter } from '../../src/cli/select/prune-images.js'
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
  health: null,
  restartCount: 0,
  labels: {},
  pid: 1,
  mounts: [],
  mountTargets: [],
  localVolumes: 0,
  networks: ['none'],
  ports: [],
  ...more,
})

const ports = [
  { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
  { port: 53, protocol: 'udp' },
]

const containers = [
  container('web-1', 1, { labels: { tier: 'front', x: '' }, mounts: ['/data'], ports }),
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
  networks: {
    list: async () => [
      { id: 'a1b2', name: 'host' },
      { id: 'a1c3', name: 'none' },
    ],
  },
}

t.test('containers', async (t) => {
  const names = async (...filters: string[]) =>
    (await filterContainers(containers, filters.map(parseFilter), engine)).map(({ name }) => name).join(' ')
  const cases: [filters: string[], names: string][] = [
    [[], 'web-1 web-2 db'],
    [['name=web'], 'web-1 web-2'],
    [['network=a1b'], 'db'],
    [['network=a1'], 'web-1 web-2 db'],
    [['network=none'], 'web-1 web-2'],
    [['network=b'], ''],
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
    [['publish=8080'], 'web-1'],
    [['publish=8000-8100/tcp'], 'web-1'],
    [['publish=80'], ''],
    [['publish=53/udp'], ''],
    [['expose=80'], 'web-1'],
    [['expose=53/udp'], 'web-1'],
    [['expose=53'], ''],
    [['is-task=false'], 'web-1 web-2 db'],
    [['is-task=1'], ''],
  ]
  for (const [filters, expected] of cases) t.equal(await names(...filters), expected, filters.join(' '))
  for (const bad of ['bogus=1', 'status=well', 'exited=x', 'before=gone', 'constructor=1', 'publish=9-8', 'is-task=x'])
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
  t.strictSame(found('until=1970-01-01T00:00:00.002Z'), ['a debian:12 my/debian:13', 'b localhost:5000/app:latest'])
  t.strictSame(found('since=a'), ['b localhost:5000/app:latest', 'c'], 'the beginning of an ID')
  t.throws(() => found('dangling=maybe'), { message: "invalid filter 'dangling=[maybe]'" })
  t.throws(() => found('before=nosuch'), { message: 'No such image: nosuch:latest' })
  t.throws(() => found('bogus=1'), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  t.end()
})

t.test('image prune filters', (t) => {
  const one = { id: 'sha256:a', tags: [], digests: [], createdAt: 5, size: 1, labels: { a: 'b' } }
  const image = { ...one, architecture: 'amd64', os: 'linux' }
  const test = (all: boolean, ...filters: string[]) => {
    const made = pruneFilter(filters.map(parseFilter), all, 1000)
    return [made.all, made.filter(image)]
  }
  t.strictSame(test(false), [false, true])
  t.strictSame(test(false, 'dangling=false'), [true, true])
  t.strictSame(test(true, 'dangling=1'), [false, true])
  t.strictSame(test(true, 'label=a', 'label!=c'), [true, true])
  t.strictSame(test(true, 'label!=a=b'), [true, false])
  t.strictSame(test(true, 'until=995ms'), [true, true])
  t.strictSame(test(true, 'until=996ms'), [true, false])
  t.throws(() => test(true, 'until=zz'), { message: 'failed to parse value as time or duration: "zz"' })
  t.throws(() => test(true, 'foo=bar'), { message: "invalid filter 'foo'" })
  t.end()
})

t.test('images as a tree', (t) => {
  const common = {
    digests: [],
    createdAt: 0,
    labels: {},
    architecture: 'amd64',
    os: 'linux',
    target: `sha256:${'1'.repeat(64)}`,
  }
  const platform = (name: string, size: number) => ({
    platform: name,
    digest: `sha256:${'2'.repeat(64)}`,
    size,
    contentSize: 0,
  })
  const images = [
    {
      ...common,
      id: 'sha256:a',
      tags: ['a:1', 'b:22'],
      size: 1000,
      contentSize: 500,
      inUse: true,
      platforms: [platform('linux/amd64', 1000), platform('linux/arm64', 0)],
    },
    { ...common, id: 'sha256:b', tags: [], size: 1, contentSize: 1, inUse: false, platforms: [] },
  ]
  t.strictSame(imageTree(images as never).split('\n'), [
    'IMAGE            ID             DISK USAGE   CONTENT SIZE   EXTRA',
    'a:1              111111111111        1.5kB           500B   U',
    'b:22',
    '├─ linux/amd64   222222222222          1kB             0B',
    '└─ linux/arm64   222222222222           0B             0B',
    '',
    '<untagged>       111111111111           2B             1B',
    '',
  ])
  t.end()
})
