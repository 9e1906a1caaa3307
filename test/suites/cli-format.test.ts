import t from 'tap'
import { commandText, containerRow, containerStyle, statusText } from '../../src/cli/format/container-row.js'
import { imageRows, imageStyle, splitTag } from '../../src/cli/format/image-row.js'
import { formatList } from '../../src/cli/format/list.js'
import { alignTabs } from '../../src/cli/format/tabs.js'
import { binarySize, ellipsis, humanSize, shortId } from '../../src/cli/format/units.js'
import { humanDuration } from '../../src/engine/duration.js'
import type { ContainerSummary, ImageSummary } from '../../src/engine/types.js'

const [second, minute, hour, day] = [1e3, 60e3, 3600e3, 86400e3]
const now = Date.parse('2030-06-01T12:00:00Z')
const id = 'ab'.repeat(32)

const container: ContainerSummary = {
  id,
  name: 'web',
  image: 'debian:12',
  imageId: `sha256:${id}`,
  command: ['sh', '-c', 'echo "hi there"; sleep 100'],
  createdAt: now - 2 * hour,
  state: 'running',
  startedAt: now - 5 * second,
  finishedAt: null,
  exitCode: null,
  health: null,
  restartCount: 0,
  labels: { b: '2', a: '1' },
  pid: 7,
  mounts: ['/a/rather/long/source'],
  mountTargets: [],
  localVolumes: 0,
  networks: ['none'],
  ports: [],
}

t.test('durations in docker’s words', (t) => {
  const words: [number, string][] = [
    [0, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [minute, 'About a minute'],
    [119 * second, 'About a minute'],
    [2 * minute, '2 minutes'],
    [46 * minute, '46 minutes'],
    [hour, 'About an hour'],
    [1.5 * hour, '2 hours'],
    [47 * hour, '47 hours'],
    [2 * day, '2 days'],
    [14 * day, '2 weeks'],
    [60 * day, '2 months'],
    [729 * day, '24 months'],
    [730 * day, '2 years'],
  ]
  for (const [ms, text] of words) t.equal(humanDuration(ms), text, String(ms))
  t.end()
})

t.test('sizes', (t) => {
  t.strictSame(
    [0, 999, 1000, 715_000, 1_984_172, 117_400_000, 1e12].map((n) => humanSize(n)),
    ['0B', '999B', '1kB', '715kB', '1.98MB', '117MB', '1TB'],
  )
  t.strictSame([512, 2 ** 20, 1.5 * 2 ** 30].map(binarySize), ['512B', '1MiB', '1.5GiB'])
  t.equal(shortId(`sha256:${id}`), 'abababababab')
  t.equal(ellipsis('abcdef', 4), 'abc…')
  t.equal(ellipsis('abcd', 4), 'abcd')
  t.end()
})

t.test('columns are aligned as docker aligns them', (t) => {
  t.equal(alignTabs('A\tB\nlonger than ten\tx\n'), 'A                 B\nlonger than ten   x\n')
  t.equal(alignTabs('A\tB\nx\ty'), 'A         B\nx         y')
  t.equal(alignTabs('ü\tB'), 'ü         B')
  t.end()
})

t.test('ps', (t) => {
  const row = containerRow(container, { now, truncate: true })
  t.equal(
    formatList(containerStyle(false), [row], undefined),
    'CONTAINER ID   IMAGE       COMMAND                   CREATED       STATUS         PORTS     NAMES\n' +
      'abababababab   debian:12   "sh -c \'echo \\"hi the…"   2 hours ago   Up 5 seconds             web\n',
  )
  t.equal(
    formatList(containerStyle(false), [], undefined),
    'CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n',
  )
  const list = (format: string) => formatList(containerStyle(false), [row], format)
  t.equal(list('table {{.Names}}\\t{{.Label "com.x.a-b"}}'), 'NAMES     a b\nweb       \n')
  t.equal(
    list('{{.Names}}: {{.Labels}} {{.Label "b"}}{{.Label "constructor"}} {{.Mounts}}'),
    'web: a=1,b=2 2 /a/rather/long…\n',
  )
  t.match(JSON.parse(list('json')), { ID: 'abababababab', Names: 'web', State: 'running', Networks: 'none' })
  t.throws(() => list('{{.Bogus}}'), {
    message: /^failed to execute template: .*can't evaluate field Bogus in type \*formatter.ContainerContext/,
  })
  t.throws(() => list('{{.Names'), { message: 'failed to parse template: template: :1: unclosed action' })
  t.end()
})

t.test('states', (t) => {
  const status = (more: Partial<ContainerSummary>) => statusText({ ...container, ...more }, now)
  t.equal(status({}), 'Up 5 seconds')
  t.equal(status({ state: 'paused' }), 'Up 5 seconds (Paused)')
  t.equal(status({ state: 'exited', exitCode: 137, finishedAt: now - 2 * minute }), 'Exited (137) 2 minutes ago')
  t.equal(status({ state: 'created', startedAt: null }), 'Created')
  t.equal(commandText(['a', 'b c', 'd']), "a 'b c' d")
  t.end()
})

t.test('images', (t) => {
  const image: ImageSummary = {
    id: `sha256:${id}`,
    tags: ['localhost:5000/a:1', 'b:latest'],
    digests: [`localhost:5000/a@sha256:${id}`],
    createdAt: now - 3 * day,
    size: 1_984_172,
    labels: {},
    architecture: 'amd64',
    os: 'linux',
  }
  const options = { now, truncate: true, digests: true }
  t.equal(
    formatList(imageStyle(false), imageRows(image, options), undefined),
    'REPOSITORY         TAG       IMAGE ID       CREATED      SIZE\n' +
      'localhost:5000/a   1         abababababab   3 days ago   1.98MB\n' +
      'b                  latest    abababababab   3 days ago   1.98MB\n',
  )
  t.match(imageRows(image, options), [{ Digest: `sha256:${id}` }, { Digest: '<none>' }])
  t.match(imageRows({ ...image, tags: [] }, options), [{ Repository: 'localhost:5000/a', Tag: '<none>' }])
  t.match(imageRows({ ...image, tags: [], digests: [] }, options), [{ Repository: '<none>', Tag: '<none>' }])
  t.strictSame(splitTag('localhost:5000/a'), ['localhost:5000/a', '<none>'])
  t.end()
})
