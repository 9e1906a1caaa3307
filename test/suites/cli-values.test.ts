import t from 'tap'
import { inDefaultNetwork } from '../../src/cli/default-network.js'
import { parseBytes, parseMemorySwap } from '../../src/cli/values/bytes.js'
import { parseCsvLine } from '../../src/cli/values/csv.js'
import { parseDetachKeys } from '../../src/cli/values/detach-keys.js'
import { parseDevice, parseDeviceRule, parseThrottleBps, parseWeightDevice } from '../../src/cli/values/device.js'
import { parseDuration } from '../../src/cli/values/duration.js'
import { parseEnv, parseKeyValueFile } from '../../src/cli/values/env.js'
import { parseFilter } from '../../src/cli/values/filter.js'
import { parseAddHost, parseIp } from '../../src/cli/values/hosts.js'
import { parseLabel, parsePair } from '../../src/cli/values/labels.js'
import { parseMount } from '../../src/cli/values/mount.js'
import { ipamPools, parseNetwork } from '../../src/cli/values/network.js'
import { parseExpose, parsePublish } from '../../src/cli/values/port.js'
import { parseSecurityOpt } from '../../src/cli/values/security-opt.js'
import { parseSignal } from '../../src/cli/values/signal.js'
import { parseSysctl } from '../../src/cli/values/sysctl.js'
import { parseTime } from '../../src/cli/values/time.js'
import { parseTmpfs } from '../../src/cli/values/tmpfs.js'
import { parseUlimit } from '../../src/cli/values/ulimit.js'
import { parseVolume } from '../../src/cli/values/volume.js'
import { parseNamespace, parsePlatform, parseRestart } from '../../src/cli/values/words.js'

/** A grammar: what is taken and as what, and what is refused. */
function grammar(name: string, parse: (text: string) => unknown, good: Record<string, unknown>, bad: string[]): void {
  t.test(name, (t) => {
    for (const [text, value] of Object.entries(good)) t.strictSame(parse(text), value, JSON.stringify(text))
    for (const text of bad) t.throws(() => parse(text), Error, `refused: ${JSON.stringify(text)}`)
    t.end()
  })
}

const inHome = (parse: (text: string, cwd: string) => unknown) => (text: string) => parse(text, '/home')

grammar(
  'sizes',
  parseBytes,
  { '1': 1, '1b': 1, '1k': 1024, '1KB': 1024, '1Kib': 1024, '1.5g': 1.5 * 2 ** 30, '.5m': 2 ** 19, '2 t': 2 ** 41 },
  ['', 'x', '5x', '-1', '1kk', '1e3', '9999999p', '1,5g', 'k'],
)
grammar('memory and swap', parseMemorySwap, { '-1': -1, '1g': 2 ** 30 }, ['-2', ''])
grammar(
  'durations',
  parseDuration,
  { '0': 0, '1s': 1000, '1h30m': 5400e3, '1.5s': 1500, '-300ms': -300, '.5m': 30e3, '2us': 0.002, '1µs': 0.001 },
  ['', '1', 's', '1 s', '1d', '1s1'],
)
grammar(
  'times',
  (text) => parseTime(text, Date.parse('2030-01-01T00:00:00Z')),
  {
    '2029-12-31T23:00:00Z': Date.parse('2029-12-31T23:00:00Z'),
    '2029-12-31T23:00:00.5+01:00': Date.parse('2029-12-31T22:00:00.5Z'),
    '1893456000': 1893456000e3,
    '1893456000.25': 1893456000250,
    '10m': Date.parse('2029-12-31T23:50:00Z'),
  },
  ['yesterday', '2029-13-01', '2029-01-01Z10'],
)
grammar(
  'csv',
  parseCsvLine,
  { 'a,b': ['a', 'b'], '': [''], 'a,': ['a', ''], '"a,b",c': ['a,b', 'c'], '"a""b"': ['a"b'] },
  ['"a', 'a"b', '"a"b'],
)
grammar(
  'volumes',
  inHome(parseVolume),
  {
    '/a:/b': { type: 'bind', source: '/a', target: '/b', createSource: true, text: '/a:/b' },
    './a:/b:ro': {
      type: 'bind',
      source: '/home/a',
      target: '/b',
      createSource: true,
      text: './a:/b:ro',
      readonly: true,
    },
    '/a:/b:rw,rslave': {
      type: 'bind',
      source: '/a',
      target: '/b',
      createSource: true,
      readonly: false,
      propagation: 'rslave',
      text: '/a:/b:rw,rslave',
    },
    '/a:/b:z,cached': { type: 'bind', source: '/a', target: '/b', createSource: true, text: '/a:/b:z,cached' },
    '/a': { type: 'volume', target: '/a', text: '/a' },
    'name:/b': { type: 'volume', source: 'name', target: '/b', text: 'name:/b' },
    'name:/b:ro,nocopy': {
      type: 'volume',
      source: 'name',
      target: '/b',
      readonly: true,
      nocopy: true,
      text: 'name:/b:ro,nocopy',
    },
    '/a:/b:idmap=uids=1000-0-1#5-6-7;gids=1-2-3': {
      type: 'bind',
      source: '/a',
      target: '/b',
      createSource: true,
      idmap: {
        uids: [
          { id: 1000, as: 0, count: 1 },
          { id: 5, as: 6, count: 7 },
        ],
        gids: [{ id: 1, as: 2, count: 3 }],
      },
      text: '/a:/b:idmap=uids=1000-0-1#5-6-7;gids=1-2-3',
    },
  },
  [
    'a',
    ':/b',
    '/a:b',
    '/a:/',
    '/a:/b:/c:/d',
    '/a:/b:xx',
    '/a:/b:ro,rw',
    '/a:/b:',
    '/a:/b:z,Z',
    '/a:/b:nocopy',
    'name:/b:rshared',
    '/a:/b:idmap=uids=1-2',
    '/a:/b:idmap=x=1-2-3',
  ],
)
grammar(
  'mounts',
  inHome(parseMount),
  {
    'type=bind,src=/a,dst=/b': { type: 'bind', source: '/a', target: '/b' },
    'type=bind,source=a,target=/b,readonly': { type: 'bind', source: '/home/a', target: '/b', readonly: true },
    'TYPE=bind,src=/a,destination=/b,ro=0': { type: 'bind', source: '/a', target: '/b', readonly: false },
    'type=bind,"src=/a,b",dst=/b': { type: 'bind', source: '/a,b', target: '/b' },
    'type=bind,src=/a,dst=/b,bind-propagation=rshared,bind-recursive=disabled': {
      type: 'bind',
      source: '/a',
      target: '/b',
      propagation: 'rshared',
      recursive: false,
    },
    'dst=/v': { type: 'volume', target: '/v' },
    'src=v,dst=/v,ro,volume-subpath=a/b,volume-nocopy,volume-label=l=1,volume-opt=type=nfs,volume-driver=local': {
      type: 'volume',
      source: 'v',
      target: '/v',
      readonly: true,
      subpath: 'a/b',
      nocopy: true,
      labels: { l: '1' },
      driverOptions: { type: 'nfs' },
      driver: 'local',
    },
    'type=image,src=i,dst=/i,image-subpath=etc': { type: 'image', source: 'i', target: '/i', subpath: 'etc' },
    'type=bind,src=/a,dst=/b,ro,bind-recursive=writable,idmap=uids=1-2-3': {
      type: 'bind',
      source: '/a',
      target: '/b',
      readonly: true,
      recursiveReadonly: false,
      idmap: { uids: [{ id: 1, as: 2, count: 3 }], gids: [] },
    },
    'type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700': { type: 'tmpfs', target: '/t', size: 2 ** 20, mode: 0o700 },
  },
  [
    'bogus',
    'type=bind,dst=/b',
    'type=bind,src=/a',
    'type=bind,src=/a,dst=b',
    'type=tmpfs,src=/a,dst=/b',
    'type=tmpfs,dst=/b,bind-propagation=shared',
    'type=bind,src=/a,dst=/b,tmpfs-size=1m',
    'type=bind,src=/a,dst=/b,bind-propagation=up',
    'type=what,dst=/b',
    'dst=b',
    'type=image,dst=/b',
    'type=bind,src=/a,dst=/b,volume-nocopy',
    'type=bind,src=/a,dst=/b,bind-recursive=writable',
    'type=bind,src=/a,dst=/b,ro,bind-recursive=readonly',
    'type=volume,dst=/b,image-subpath=x',
    'type=tmpfs,dst=/b,idmap',
    'type=bind,src=/a,dst=/b,__proto__=1',
    'type=bind,src=,dst=/b',
  ],
)
grammar(
  'tmpfs',
  parseTmpfs,
  {
    '/t': { type: 'tmpfs', target: '/t', text: '/t' },
    '/t:size=1m,mode=755,noexec,uid=5': {
      type: 'tmpfs',
      target: '/t',
      size: 2 ** 20,
      mode: 0o755,
      options: ['noexec', 'uid=5'],
      text: '/t:size=1m,mode=755,noexec,uid=5',
    },
    '/t:size=50%': { type: 'tmpfs', target: '/t', options: ['size=50%'], text: '/t:size=50%' },
  },
  ['t', '', ':size=1m', '/t:size=x'],
)
grammar(
  'devices',
  parseDevice,
  {
    '/dev/a': { hostPath: '/dev/a' },
    '/dev/a:/dev/b': { hostPath: '/dev/a', containerPath: '/dev/b' },
    '/dev/a:r': { hostPath: '/dev/a', permissions: 'r' },
    '/dev/a:/dev/b:mr': { hostPath: '/dev/a', containerPath: '/dev/b', permissions: 'mr' },
  },
  ['dev', '/dev/a:b', '/dev/a:/dev/b:zz', '/dev/a:/dev/b:rr', '/a:/b:r:x', 'vendor.com/gpu=0'],
)
grammar('device rules', parseDeviceRule, { 'c 42:* rmw': 'c 42:* rmw', 'a *:* r': 'a *:* r' }, [
  'c 42 r',
  'x 1:1 r',
  'c 1:1',
])
grammar('throttles', parseThrottleBps, { '/dev/sda:1m': { path: '/dev/sda', rate: 2 ** 20 } }, [
  '/dev/sda',
  'sda:1m',
  '/dev/sda:',
  '/dev/sda:x',
])
grammar('weights of devices', parseWeightDevice, { '/dev/sda:100': { path: '/dev/sda', weight: 100 } }, [
  '/dev/sda:5',
  '/dev/sda:1001',
  '/dev/sda:x',
])
grammar(
  'ulimits',
  parseUlimit,
  {
    'nofile=5': { name: 'nofile', soft: 5, hard: 5 },
    'core=0:-1': { name: 'core', soft: 0, hard: -1 },
    'nproc=-1': { name: 'nproc', soft: -1, hard: -1 },
  },
  ['nofile', 'nofile=', 'nofile=a', 'nofile=9:5', 'nofile=-1:5', 'what=1', 'nofile=1:2:3', 'nofile=1=2', 'nofile=-2'],
)
grammar(
  'sysctls',
  parseSysctl,
  { 'net.core.somaxconn=9': ['net.core.somaxconn', '9'], 'kernel.sem=1 2 3 4': ['kernel.sem', '1 2 3 4'] },
  ['net.x', '=1', 'kernel.hostname=x', 'vm.swappiness=1', 'netx.a=1'],
)
grammar('labels', parseLabel, { a: ['a', ''], 'a=b=c': ['a', 'b=c'], 'a=': ['a', ''] }, ['', '=x'])
grammar('pairs', parsePair, { 'a=b': ['a', 'b'] }, ['a', '=b'])
grammar(
  'filters',
  parseFilter,
  {
    'label=a=b': { name: 'label', value: 'a=b', negated: false },
    'label!=a': { name: 'label', value: 'a', negated: true },
    ' NAME = x ': { name: 'name', value: 'x', negated: false },
  },
  ['label'],
)
grammar('hosts', parseAddHost, { 'a:1.2.3.4': 'a:1.2.3.4', 'a=::1': 'a:::1', 'a:[::1]': 'a:::1' }, [
  'a',
  ':1.2.3.4',
  'a:b',
  'a:1.2.3',
  'a:host-gatewa',
])
grammar('addresses', parseIp, { '1.2.3.4': '1.2.3.4', '::1': '::1' }, ['a', '1.2.3', ''])
grammar(
  'signals',
  parseSignal,
  { KILL: 'SIGKILL', sigterm: 'SIGTERM', '9': 9, '64': 64, RTMIN: 34, 'RTMIN+3': 37, 'SIGRTMAX-1': 63 },
  ['', 'FOO', '0', '65', 'RTMIN+31', '-9', '1x', 'toString'],
)
grammar(
  'security options',
  parseSecurityOpt,
  {
    'no-new-privileges': 'no-new-privileges',
    'no-new-privileges:true': 'no-new-privileges=true',
    'seccomp=unconfined': 'seccomp=unconfined',
    'apparmor:x': 'apparmor=x',
  },
  ['foo', 'seccomp', 'foo=bar', 'seccomp=/nonexistent/profile.json', 'seccomp=/etc/passwd'],
)
grammar('namespaces', parseNamespace('private'), { host: 'host', 'container:x': 'container:x', private: 'private' }, [
  'foo',
  'container:',
])
grammar(
  'networks',
  parseNetwork,
  {
    none: { name: 'none' },
    'container:x': { name: 'container:x' },
    'name=n,alias=x,alias=y,ip=1.2.3.4,ip6=::2,gw-priority=-3,driver-opt=a=b,mac-address=02:00:00:00:00:01': {
      name: 'n',
      aliases: ['x', 'y'],
      ip: '1.2.3.4',
      ip6: '::2',
      gwPriority: -3,
      driverOpts: { a: 'b' },
      macAddress: '02:00:00:00:00:01',
    },
  },
  ['alias=x', 'name=n,foo=1', 'name=n,ip=::1', 'name=n,gw-priority=x', 'name=n,mac-address=zz'],
)
const tcp = { protocol: 'tcp' }
grammar(
  'published ports',
  parsePublish,
  {
    80: [{ ...tcp, containerPort: 80 }],
    '8080:80': [{ ...tcp, containerPort: 80, hostPort: 8080 }],
    '8080:80/UDP': [{ protocol: 'udp', containerPort: 80, hostPort: 8080 }],
    '127.0.0.1::80/sctp': [{ protocol: 'sctp', hostAddress: '127.0.0.1', containerPort: 80 }],
    '[::1]:8080:80': [{ ...tcp, hostAddress: '::1', containerPort: 80, hostPort: 8080 }],
    '::1:8080:80': [{ ...tcp, hostAddress: '::1', containerPort: 80, hostPort: 8080 }],
    '8000-8001:80-81': [
      { ...tcp, containerPort: 80, hostPort: 8000 },
      { ...tcp, containerPort: 81, hostPort: 8001 },
    ],
    '8000-8010:80': [{ ...tcp, containerPort: 80, hostPort: 8000, hostPortEnd: 8010 }],
    'target=80,published=8080,protocol=udp': [{ protocol: 'udp', containerPort: 80, hostPort: 8080 }],
  },
  [
    '',
    '80x:1',
    '70000:1',
    '1:70000',
    '0',
    '80/icmp',
    '80/tcp/x',
    'localhost:80:80',
    '8000-8002:80-81',
    '9-8:1',
    'published=1',
  ],
)
grammar('declared ports', parseExpose, { 80: '80', '80-90/udp': '80-90/udp' }, ['x', '90-80', '80/icmp', '70000'])

t.test('ranges of addresses', (t) => {
  t.strictSame(ipamPools(['10.0.0.0/16', 'fd00::/64'], ['10.0.1.0/24'], ['fd00::1'], { a: '10.0.0.9' }), [
    { subnet: '10.0.0.0/16', ipRange: '10.0.1.0/24', auxAddresses: { a: '10.0.0.9' } },
    { subnet: 'fd00::/64', gateway: 'fd00::1' },
  ])
  t.throws(() => ipamPools([], [], ['10.0.0.1'], {}), /every ip-range or gateway must have a corresponding subnet/)
  t.throws(() => ipamPools(['10.0.0.0/16'], [], ['1.2.3.4'], {}), /no matching subnet for gateway 1.2.3.4/)
  t.throws(() => ipamPools(['10.0.0.0/16', '10.0.1.0/24'], [], [], {}), /multiple overlapping subnet/)
  t.throws(() => ipamPools(['10.0.0.0'], [], [], {}), /invalid CIDR address: 10.0.0.0/)
  t.end()
})
grammar(
  'restart policies',
  parseRestart,
  { no: { policy: 'no' }, '': { policy: 'no' }, 'on-failure:2': { policy: 'on-failure', maxRetries: 2 } },
  [':3', 'on-failure:x'],
)
grammar('platforms', parsePlatform, { 'linux/arm64/v8': 'linux/arm64/v8', linux: 'linux' }, ['', 'a/b/c/d', '/'])
grammar(
  'detach keys',
  parseDetachKeys,
  { '': [], 'ctrl-p,ctrl-q': [16, 17], 'a,ctrl-@,ctrl-[': [97, 0, 27], 'ctrl-_': [31] },
  ['ctrl-P', 'ab', 'ctrl-', 'é'],
)

t.test('environment variables', (t) => {
  const lookup = (name: string) => (name === 'HERE' ? 'yes' : undefined)
  t.strictSame(parseEnv('A=b=c', lookup), ['A', 'b=c'])
  t.strictSame(parseEnv('HERE', lookup), ['HERE', 'yes'])
  t.strictSame(parseEnv('GONE', lookup), ['GONE', undefined])
  t.throws(() => parseEnv('=x', lookup))
  const file = '# no\n\nA=1 # kept\n  B="q"\r\nHERE\nGONE\n\tC=\n'
  t.strictSame(parseKeyValueFile(Buffer.from(file), 'f', lookup), [
    ['A', '1 # kept'],
    ['B', '"q"'],
    ['HERE', 'yes'],
    ['C', ''],
  ])
  t.throws(() => parseKeyValueFile(Buffer.from('ok=1\na b=1'), 'f', lookup), { message: /^f:2: .*whitespace/ })
  t.throws(() => parseKeyValueFile(Buffer.from('=1'), 'f', lookup), { message: /^f:1: / })
  t.throws(() => parseKeyValueFile(Buffer.from([0xff]), 'f', lookup), { message: 'f: not valid UTF-8' })
  t.end()
})

t.test('the default network', (t) => {
  for (const [given, environment, network] of [
    [{}, {}, 'bridge'],
    [{ network: 'default' }, { JUBAKO_NETWORK: '' }, 'bridge'],
    [{}, { JUBAKO_NETWORK: 'none' }, 'none'],
    [{ network: 'host' }, { JUBAKO_NETWORK: 'none' }, 'host'],
    [{ networks: [{ name: 'a' }] }, {}, undefined],
  ] as const) {
    t.equal(
      inDefaultNetwork<{ network?: string; networks?: { name: string }[] }>(given as never, environment).network,
      network,
    )
  }
  t.end()
})
