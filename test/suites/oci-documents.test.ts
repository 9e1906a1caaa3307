import t from 'tap'
import {
  chainIds,
  type DiffId,
  DOCKER_MANIFEST,
  digestOf,
  type Index,
  isDigest,
  type Manifest,
  noMatchingManifest,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
  parseDigest,
  parseImageConfig,
  parseManifest,
  selectManifests,
} from '../../src/oci/index.js'

const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const D = digestOf('x')
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: D, size: 1 }
const layer = { mediaType: OCI_LAYER_GZIP, digest: D, size: 10 }
const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }

t.test('digests', async (t) => {
  t.equal(parseDigest(D), D)
  t.ok(isDigest(digestOf('x', 'sha512')))
  const bad = ['', 'sha256:', `sha256:${'A'.repeat(64)}`, `sha256:${'a'.repeat(63)}`, `sha256:../${'a'.repeat(61)}`]
  bad.push(
    `sha256:${'a'.repeat(64)}\n`,
    `SHA256:${'a'.repeat(64)}`,
    `md5:${'a'.repeat(32)}`,
    `sha256-${'a'.repeat(64)}`,
  )
  bad.push(`sha256:${'a'.repeat(62)}/.`, `constructor:${'a'.repeat(64)}`, `__proto__:${'a'.repeat(64)}`)
  for (const value of [...bad, undefined, null, 7, {}]) {
    t.throws(() => parseDigest(value), { code: 'ERR_JUBAKO_INTEGRITY' }, String(value))
  }
})

t.test('chain IDs of image-spec', async (t) => {
  const [a, b, c] = ['a', 'b', 'c'].map((text) => digestOf(text)) as [DiffId, DiffId, DiffId]
  const ab = digestOf(`${a} ${b}`)
  t.same(chainIds([a, b, c]), [a, ab, digestOf(`${ab} ${c}`)])
  t.same(chainIds([]), [])
})

t.test('manifests', async (t) => {
  const parsed = parseManifest(bytes(image), OCI_MANIFEST, 'm') as Manifest
  t.equal(parsed.kind, 'manifest')
  t.same(parsed.layers, [layer])
  const { mediaType: _, ...untyped } = image
  t.equal(parseManifest(bytes(untyped), undefined, 'm').mediaType, OCI_MANIFEST)
  t.equal(parseManifest(bytes(untyped), DOCKER_MANIFEST, 'm').mediaType, DOCKER_MANIFEST)
  t.equal(parseManifest(bytes(image), 'text/plain', 'm').mediaType, OCI_MANIFEST, 'an unrelated type says nothing')
  const artifact = { ...untyped, artifactType: 'application/x.y', subject: layer, annotations: { a: 'b' } }
  t.match(parseManifest(bytes(artifact), undefined, 'm'), { artifactType: 'application/x.y', annotations: { a: 'b' } })
})

t.test('documents that are refused', async (t) => {
  const integrity: [name: string, document: unknown, announced?: string][] = [
    ['both', { ...image, manifests: [] }],
    ['neither', { schemaVersion: 2 }],
    ['own type is not the announced', image, DOCKER_MANIFEST],
    ['index announced', { ...image, mediaType: undefined }, OCI_INDEX],
    ['index type on a manifest', { ...image, mediaType: OCI_INDEX }],
    ['version', { ...image, schemaVersion: 3 }],
    ['no version', { ...image, schemaVersion: undefined }],
    ['not JSON', '{'],
    ['an array', '[]'],
    ['null', 'null'],
    ['bad UTF-8', '\ufffd'],
    ['bad digest', { ...image, layers: [{ ...layer, digest: 'sha256:../../etc' }] }],
    ['negative size', { ...image, layers: [{ ...layer, size: -1 }] }],
    ['fractional size', { ...image, layers: [{ ...layer, size: 1.5 }] }],
    ['huge size', { ...image, layers: [{ ...layer, size: 2 ** 52 }] }],
    ['size as text', { ...image, layers: [{ ...layer, size: '10' }] }],
    ['layers is an object', { ...image, layers: {} }],
    ['no config', { ...image, config: undefined }],
    ['annotation is a number', { ...image, annotations: { a: 1 } }],
  ]
  for (const [name, document, announced] of integrity) {
    const data = name === 'bad UTF-8' ? Buffer.from([0x7b, 0xff, 0x7d]) : bytes(document)
    t.throws(() => parseManifest(data, announced, 'm'), { code: 'ERR_JUBAKO_INTEGRITY' }, name)
  }
  const schema1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
  t.throws(() => parseManifest(bytes({ schemaVersion: 1 }), schema1, 'm'), { code: 'ERR_JUBAKO_UNSUPPORTED' })
  const limited = [Buffer.alloc(4 * 2 ** 20 + 1, 0x20), bytes({ ...image, layers: Array(501).fill(layer) })]
  for (const data of limited) t.throws(() => parseManifest(data, undefined, 'm'), { code: 'ERR_JUBAKO_LIMIT_EXCEEDED' })
})

t.test('the choice from an index', async (t) => {
  const entry = (architecture: string, variant?: string, os = 'linux') => ({
    mediaType: OCI_MANIFEST,
    digest: digestOf(`${os}/${architecture}/${variant}`),
    size: 1,
    platform: { os, architecture, ...(variant ? { variant } : {}) },
  })
  const entries = [
    entry('amd64', 'v3'),
    entry('arm', 'v6'),
    entry('arm', 'v7'),
    entry('amd64'),
    entry('arm64', 'v8'),
    entry('amd64', undefined, 'windows'),
    { ...entry('unknown', undefined, 'unknown'), annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } },
  ]
  const index = parseManifest(
    bytes({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries }),
    OCI_INDEX,
    'i',
  ) as Index
  const chosen = (architecture: string, variant?: string, os = 'linux') =>
    selectManifests(index, { os, architecture, ...(variant ? { variant } : {}) }).map((d) => d.platform)
  t.same(chosen('amd64'), [{ os: 'linux', architecture: 'amd64' }])
  t.same(chosen('x86_64', 'v4')[0], { os: 'linux', architecture: 'amd64', variant: 'v3' })
  t.same(chosen('aarch64'), [{ os: 'linux', architecture: 'arm64', variant: 'v8' }])
  t.same(
    chosen('arm', 'v7').map((p) => p?.variant),
    ['v7', 'v6'],
  )
  t.same(
    chosen('arm', 'v6').map((p) => p?.variant),
    ['v6'],
  )
  t.same(chosen('arm', 'v5'), [])
  t.same(chosen('amd64', undefined, 'windows').length, 1)
  t.same(chosen('s390x'), [])
  t.match(noMatchingManifest(index, { os: 'linux', architecture: 's390x' }, 'x'), {
    code: 'ERR_JUBAKO_NOT_FOUND',
    message: 'x: no matching manifest for linux/s390x in the manifest list entries',
    hint: /linux\/arm64\/v8/,
  })
})

t.test('image configurations', async (t) => {
  const document = {
    architecture: 'arm64',
    variant: 'v8',
    os: 'linux',
    created: '2024-01-01T00:00:00Z',
    config: {
      User: '',
      Env: ['A=1'],
      Cmd: null,
      Entrypoint: ['/x'],
      Labels: { a: 'b' },
      ExposedPorts: { '80/tcp': {} },
      Volumes: null,
      StopTimeout: 3,
      Healthcheck: { Test: ['CMD', 'x'], Interval: 1e9 },
    },
    rootfs: { type: 'layers', diff_ids: [D] },
    history: [{ created_by: 'x', empty_layer: true }, { created_by: 'y' }],
    container_config: { ignored: true },
  }
  const parsed = parseImageConfig(bytes(document), 'c')
  t.same(parsed.platform, { os: 'linux', architecture: 'arm64', variant: 'v8' })
  t.same(parsed.diffIds, [D])
  t.same(parsed.config, {
    Env: ['A=1'],
    Entrypoint: ['/x'],
    ExposedPorts: { '80/tcp': {} },
    Labels: { a: 'b' },
    StopTimeout: 3,
    Healthcheck: { Test: ['CMD', 'x'], Interval: 1e9 },
  })
  t.same(parseImageConfig(bytes({ ...document, config: null, history: null }), 'c').config, {})
  t.same(parseImageConfig(bytes({ ...document, config: { Cmd: 'ls -l' } }), 'c').config.Cmd, ['ls -l'])
  for (const broken of [
    { ...document, rootfs: { type: 'layers', diff_ids: ['sha256:x'] } },
    { ...document, rootfs: { type: 'zip', diff_ids: [] } },
    { ...document, rootfs: undefined },
    { ...document, config: { Env: 'A=1' } },
    { ...document, config: { Env: [1] } },
    { ...document, config: { Labels: { a: {} } } },
    { ...document, os: 7 },
  ]) {
    t.throws(() => parseImageConfig(bytes(broken), 'c'), { code: 'ERR_JUBAKO_INTEGRITY' })
  }
  t.ok(OCI_LAYER)
})
