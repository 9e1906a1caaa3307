import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createFlags } from '../../src/cli/flags/create-flags.js'
import { createOptions } from '../../src/cli/flags/create-options.js'
import { parseFlags } from '../../src/cli/flags/parse.js'
import type { CreateOptions } from '../../src/engine/types.js'

const spec = {
  name: 'create',
  aliases: [],
  usage: '',
  summary: '',
  args: [0, 9] as const,
  interspersed: false,
  flags: createFlags,
}

const options = (...argv: string[]): CreateOptions => createOptions(parseFlags(spec, argv))

/** For every flag that has an effect on the container: arguments, and the options they make. */
const MAKES: [argv: string[], options: CreateOptions][] = [
  [['--add-host', 'a:1.2.3.4'], { addHosts: ['a:1.2.3.4'] }],
  [['--annotation', 'a=b'], { annotations: { a: 'b' } }],
  [['--blkio-weight', '100'], { blkioWeight: 100 }],
  [['--blkio-weight', '0'], {}],
  [['--blkio-weight-device', '/dev/sda:100'], { blkioWeightDevice: [{ path: '/dev/sda', weight: 100 }] }],
  [['--cap-add', 'ALL', '--cap-drop', 'CHOWN'], { capAdd: ['ALL'], capDrop: ['CHOWN'] }],
  [['--cgroup-parent', '/x'], { cgroupParent: '/x' }],
  [['--cgroupns', 'host'], { cgroupns: 'host' }],
  [['--cpu-period', '1000', '--cpu-quota', '500'], { cpuPeriod: 1000, cpuQuota: 500 }],
  [['-c', '512'], { cpuShares: 512 }],
  [['--cpus', '1.5'], { cpus: 1.5 }],
  [['--cpus', '0'], {}],
  [['--cpuset-cpus', '0-1', '--cpuset-mems', '0'], { cpusetCpus: '0-1', cpusetMems: '0' }],
  [['--device', '/dev/fuse'], { devices: [{ hostPath: '/dev/fuse' }] }],
  [['--device-cgroup-rule', 'c 1:3 r'], { deviceCgroupRules: ['c 1:3 r'] }],
  [['--device-read-bps', '/dev/sda:1k'], { deviceReadBps: [{ path: '/dev/sda', rate: 1024 }] }],
  [['--device-read-iops', '/dev/sda:7'], { deviceReadIops: [{ path: '/dev/sda', rate: 7 }] }],
  [['--device-write-bps', '/dev/sda:1k'], { deviceWriteBps: [{ path: '/dev/sda', rate: 1024 }] }],
  [['--device-write-iops', '/dev/sda:7'], { deviceWriteIops: [{ path: '/dev/sda', rate: 7 }] }],
  [
    ['--dns', '::1', '--dns-opt', 'a', '--dns-option', 'b', '--dns-search', 'c'],
    { dns: ['::1'], dnsOptions: ['a', 'b'], dnsSearch: ['c'] },
  ],
  [['--domainname', 'd', '-h', 'h'], { domainname: 'd', hostname: 'h' }],
  [['--entrypoint', 'sh'], { entrypoint: ['sh'] }],
  [['--entrypoint='], { entrypoint: [] }],
  [['-e', 'A=1', '-e', 'JUBAKO_TEST_NOT_SET'], { env: { A: '1', JUBAKO_TEST_NOT_SET: undefined } }],
  [['--group-add', '5'], { groupAdd: ['5'] }],
  [['--init'], { init: true }],
  [['--init=false'], { init: false }],
  [['-it'], { stdin: true, tty: true }],
  [
    ['--ipc', 'host', '--pid', 'host', '--uts', 'host', '--userns', 'host'],
    { ipc: 'host', pid: 'host', uts: 'host', userns: 'host' },
  ],
  [['-l', 'a=1', '--label', 'b'], { labels: { a: '1', b: '' } }],
  [
    ['--health-cmd', 'a b', '--health-interval', '2s', '--health-retries', '4', '--health-on-failure', 'kill'],
    { healthcheck: { test: ['CMD-SHELL', 'a b'], interval: 2000, retries: 4, onFailure: 'kill' } },
  ],
  [
    ['--health-timeout', '1m', '--health-start-period', '3s', '--health-start-interval', '1s'],
    { healthcheck: { timeout: 60_000, startPeriod: 3000, startInterval: 1000 } },
  ],
  [['--no-healthcheck'], { healthcheck: { test: ['NONE'] } }],
  [['--restart', 'on-failure:3'], { restart: { policy: 'on-failure', maxRetries: 3 } }],
  [['--restart', 'always'], { restart: { policy: 'always' } }],
  [['--timeout', '9'], { timeout: 9 }],
  [['--log-driver', 'none'], { logDriver: 'none' }],
  [['--log-opt', 'max-size=1m'], { logOptions: { 'max-size': '1m' } }],
  [
    ['-m', '64m', '--memory-swap', '-1', '--memory-reservation', '32m'],
    { memory: 2 ** 26, memorySwap: -1, memoryReservation: 2 ** 25 },
  ],
  [['--memory-swappiness', '0'], { memorySwappiness: 0 }],
  [['--memory-swappiness', '-1'], {}],
  [
    ['--mount', 'type=tmpfs,dst=/m', '-v', '/a:/b', '--tmpfs', '/t', '-v', 'n:/n', '-v', 'o:/n'],
    {
      mounts: [
        { type: 'bind', source: '/a', target: '/b', createSource: true, text: '/a:/b' },
        { type: 'volume', source: 'o', target: '/n', text: 'o:/n' },
        { type: 'tmpfs', target: '/m' },
        { type: 'tmpfs', target: '/t', text: '/t' },
      ],
    },
  ],
  [['--volumes-from', 'a:ro', '--volume-driver', 'local'], { volumesFrom: ['a:ro'], volumeDriver: 'local' }],
  [['--name', 'n'], { name: 'n' }],
  [['--net', 'host'], { network: 'host' }],
  [['--network', 'a', '--network', 'name=b,alias=c'], { networks: [{ name: 'a' }, { name: 'b', aliases: ['c'] }] }],
  [['-p', '8080:80', '-P'], { ports: [{ containerPort: 80, protocol: 'tcp', hostPort: 8080 }], publishAll: true }],
  [['--expose', '53/udp'], { expose: ['53/udp'] }],
  [['--ip', '10.0.0.2', '--ip6', 'fd00::2'], { ip: '10.0.0.2', ip6: 'fd00::2' }],
  [['--link', 'db:d'], { links: ['db:d'] }],
  [['--mac-address', '02:00:00:00:00:01'], { macAddress: '02:00:00:00:00:01' }],
  [['--net-alias', 'x', '--network-alias', 'y'], { networkAliases: ['x', 'y'] }],
  [['--oom-kill-disable'], { oomKillDisable: true }],
  [['--oom-score-adj', '0'], { oomScoreAdj: 0 }],
  [['--pids-limit', '-1'], { pidsLimit: -1 }],
  [['--platform', 'linux/arm64'], { platform: 'linux/arm64' }],
  [['--privileged'], { privileged: true }],
  [['--read-only'], { readonlyRootfs: true }],
  [['--security-opt', 'no-new-privileges'], { securityOpt: ['no-new-privileges'] }],
  [['--shm-size', '1m'], { shmSize: 2 ** 20 }],
  [['--stop-signal', 'int', '--stop-timeout', '0'], { stopSignal: 'int', stopTimeout: 0 }],
  [['--sysctl', 'net.a=1'], { sysctls: { 'net.a': '1' } }],
  [['--ulimit', 'nofile=1'], { ulimits: [{ name: 'nofile', soft: 1, hard: 1 }] }],
  [['-u', '1:2'], { user: '1:2' }],
  [['-w', '/w'], { workdir: '/w' }],
]

/** What the commands themselves use, or what is taken and changes nothing. */
const ELSEWHERE = new Set(
  'attach cidfile disable-content-trust env-file help isolation kernel-memory label-file pull quiet rm'.split(' '),
)

t.test('flags make options', (t) => {
  for (const [argv, expected] of MAKES) {
    t.strictSame(structuredClone(options(...argv)), expected, argv.join(' '))
  }
  t.strictSame(options(), {}, 'without flags the engine decides')
  t.end()
})

t.test('every flag that works is tried above', (t) => {
  const tried = new Set(MAKES.flatMap(([argv]) => argv).map((word) => word.replace(/=.*/, '')))
  for (const [short, name, , , extra] of createFlags) {
    if ((extra?.status ?? 'works') !== 'works' || ELSEWHERE.has(name)) continue
    const words = [`--${name}`, `-${short}`]
    t.ok(words.some((word) => tried.has(word)) || (short !== '' && tried.has('-it') && 'it'.includes(short)), name)
  }
  t.end()
})

t.test('files come before flags', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'jubako-options-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'file')
  writeFileSync(file, 'A=file\nB=file\n')
  t.strictSame({ ...options('-e', 'A=flag', '--env-file', file).env }, { A: 'flag', B: 'file' })
  t.strictSame({ ...options('-l', 'A=flag', '--label-file', file).labels }, { A: 'flag', B: 'file' })
  const missing = join(directory, 'missing')
  t.throws(() => options('--env-file', missing), { code: 'ERR_JUBAKO_INVALID_ARGUMENT', path: missing })
  t.strictSame(Object.keys(options('-e', '__proto__=1').env ?? {}), ['__proto__'], 'any name is a name')
  t.end()
})
