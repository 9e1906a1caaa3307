import {
  parseDevice,
  parseDeviceRule,
  parseThrottleBps,
  parseThrottleIops,
  parseWeightDevice,
} from '../values/device.js'
import { parseEnv } from '../values/env.js'
import { parseAddHost, parseIp } from '../values/hosts.js'
import { parseLabel, parsePair } from '../values/labels.js'
import { parseMount } from '../values/mount.js'
import { parseFamily, parseMacAddress, parseNetwork } from '../values/network.js'
import { parseExpose, parsePublish } from '../values/port.js'
import { parseSecurityOpt } from '../values/security-opt.js'
import { parseSignal } from '../values/signal.js'
import { parseSysctl } from '../values/sysctl.js'
import { parseTmpfs } from '../values/tmpfs.js'
import { parseUlimit } from '../values/ulimit.js'
import { parseVolume } from '../values/volume.js'
import {
  oneOf,
  parseLogDriver,
  parseNamespace,
  parsePlatform,
  parseRange,
  parseRestart,
  parseStream,
} from '../values/words.js'
import type { FlagExtra, FlagRow } from './spec.js'

const windows: FlagExtra = { status: 'refused', reason: 'it exists on Windows only', hidden: true }
const volumes: FlagExtra = { status: 'missing', reason: 'volumes are not built yet' }
const realtime: FlagExtra = { status: 'refused', reason: 'real-time group scheduling has no controller in cgroup v2' }
const env = (text: string) => parseEnv(text, (name) => process.env[name])
/** Checked here, passed on as written. */
const signalText = (text: string): string => {
  parseSignal(text)
  return text
}
const network: FlagExtra = { parse: parseNetwork }

/** Flags of `create` and `run`. */
export const createFlags: readonly FlagRow[] = [
  ['', 'add-host', 'list', 'Add a line to /etc/hosts (name:address)', { parse: parseAddHost }],
  ['', 'annotation', 'map', 'Add an OCI annotation (key=value)', { parse: parsePair }],
  ['a', 'attach', 'list', 'Connect stdin, stdout or stderr', { parse: parseStream }],
  ['', 'blkio-weight', 'uint16', 'Block I/O weight, 10 to 1000; 0 leaves it alone'],
  ['', 'blkio-weight-device', 'list', 'Block I/O weight for one device (path:weight)', { parse: parseWeightDevice }],
  ['', 'cap-add', 'list', 'Grant a capability (name, or ALL)'],
  ['', 'cap-drop', 'list', 'Take a capability away (name, or ALL)'],
  ['', 'cgroup-parent', 'string', "Cgroup to create the container's cgroup in"],
  ['', 'cgroupns', 'string', 'Cgroup namespace: host or private', { parse: oneOf('', 'host', 'private') }],
  ['', 'cidfile', 'string', "Write the container's ID to a new file"],
  ['', 'cpu-count', 'int64', 'Number of CPUs', windows],
  ['', 'cpu-percent', 'int64', 'Percentage of the CPUs', windows],
  ['', 'cpu-period', 'int64', 'Length of a CFS period in microseconds'],
  ['', 'cpu-quota', 'int64', 'CPU time per CFS period in microseconds'],
  ['', 'cpu-rt-period', 'int64', 'Real-time period in microseconds', realtime],
  ['', 'cpu-rt-runtime', 'int64', 'Real-time runtime in microseconds', realtime],
  ['c', 'cpu-shares', 'int64', 'Relative share of CPU time (1024 is normal)'],
  ['', 'cpus', 'decimal', 'Number of CPUs, for example 1.5'],
  ['', 'cpuset-cpus', 'string', 'CPUs it may run on, for example 0-2,4'],
  ['', 'cpuset-mems', 'string', 'Memory nodes it may use, for example 0,1'],
  ['', 'device', 'list', 'Give access to a device of the host (host[:container[:rwm]])', { parse: parseDevice }],
  ['', 'device-cgroup-rule', 'list', "Allow devices by number, for example 'c 42:* rmw'", { parse: parseDeviceRule }],
  ['', 'device-read-bps', 'list', 'Limit reading from a device (path:bytes per second)', { parse: parseThrottleBps }],
  ['', 'device-read-iops', 'list', 'Limit reads from a device (path:count per second)', { parse: parseThrottleIops }],
  ['', 'device-write-bps', 'list', 'Limit writing to a device (path:bytes per second)', { parse: parseThrottleBps }],
  ['', 'device-write-iops', 'list', 'Limit writes to a device (path:count per second)', { parse: parseThrottleIops }],
  ['', 'disable-content-trust', 'bool', 'Accepted and without effect', { hidden: true }],
  ['', 'dns', 'list', 'Name server for /etc/resolv.conf', { parse: parseIp }],
  ['', 'dns-opt', 'list', 'Resolver option', { hidden: true, alias: 'dns-option' }],
  ['', 'dns-option', 'list', 'Resolver option for /etc/resolv.conf'],
  ['', 'dns-search', 'list', 'Search domain for /etc/resolv.conf'],
  ['', 'domainname', 'string', 'NIS domain name'],
  ['', 'entrypoint', 'string', "Replace the image's entrypoint; an empty value removes it"],
  ['e', 'env', 'list', 'Set a variable (name=value), or copy it from here (name)', { parse: env }],
  ['', 'env-file', 'list', 'Read variables from a file'],
  ['', 'expose', 'list', 'Declare a port or range of ports', { parse: parseExpose }],
  [
    '',
    'gpus',
    'gpu-request',
    'GPUs to give access to',
    { status: 'refused', reason: 'there is no GPU driver hook; give the device nodes with --device' },
  ],
  ['', 'group-add', 'list', 'Further group of the process (name or number)'],
  ['', 'health-cmd', 'string', 'Command that checks health'],
  ['', 'health-interval', 'duration', 'Time between two checks'],
  [
    '',
    'health-on-failure',
    'string',
    'What is done when it becomes unhealthy: none, kill, restart or stop',
    { parse: oneOf('none', 'kill', 'restart', 'stop') },
  ],
  ['', 'health-retries', 'int', 'Failures in a row that mean unhealthy'],
  ['', 'health-start-interval', 'duration', 'Time between two checks while it starts'],
  ['', 'health-start-period', 'duration', 'Time it may take to start'],
  ['', 'health-timeout', 'duration', 'Longest time of one check'],
  ['', 'help', 'bool', 'Print this help', { hidden: true }],
  ['h', 'hostname', 'string', "Container's host name"],
  ['', 'init', 'bool', 'Run an init as process 1 that reaps orphans and forwards signals'],
  ['i', 'interactive', 'bool', 'Keep standard input open'],
  ['', 'io-maxbandwidth', 'bytes', 'Maximum I/O bandwidth', windows],
  ['', 'io-maxiops', 'uint64', 'Maximum I/O operations', windows],
  ['', 'ip', 'string', 'IPv4 address', { parse: parseFamily(4) }],
  ['', 'ip6', 'string', 'IPv6 address', { parse: parseFamily(6) }],
  [
    '',
    'ipc',
    'string',
    'IPC namespace: private, none, host or container:<name|id>',
    { parse: parseNamespace('private', 'shareable', 'none') },
  ],
  ['', 'isolation', 'string', 'Isolation technology', { parse: oneOf('', 'default'), hidden: true }],
  ['', 'kernel-memory', 'bytes', 'Accepted and without effect: kernels no longer have it', { hidden: true }],
  ['l', 'label', 'list', 'Add a label (key=value)', { parse: parseLabel }],
  ['', 'label-file', 'list', 'Read labels from a file'],
  ['', 'link', 'list', 'Other name of a container (container:alias)'],
  [
    '',
    'link-local-ip',
    'list',
    'Link-local address',
    { status: 'missing', reason: 'only addresses of the subnets are given' },
  ],
  ['', 'log-driver', 'string', 'Where the output is kept: json-file, local or none', { parse: parseLogDriver }],
  ['', 'log-opt', 'list', 'Log option: max-size=<bytes> or max-file=<count>', { parse: parsePair }],
  ['', 'mac-address', 'string', 'MAC address', { parse: parseMacAddress }],
  ['m', 'memory', 'bytes', 'Memory limit, at least 6m'],
  ['', 'memory-reservation', 'bytes', 'Soft memory limit'],
  ['', 'memory-swap', 'memory-swap', 'Limit of memory plus swap; -1 for unlimited swap'],
  [
    '',
    'memory-swappiness',
    'int64',
    'Inclination to swap, 0 to 100 (cgroup v1)',
    { default: '-1', parse: parseRange(-1, 100) },
  ],
  [
    '',
    'mount',
    'mount',
    'Attach a file system (type=bind|tmpfs,source=...,target=...)',
    { parse: (text) => parseMount(text, process.cwd()) },
  ],
  ['', 'name', 'string', "Container's name"],
  ['', 'net', 'network', 'Network', { ...network, hidden: true, alias: 'network' }],
  ['', 'net-alias', 'list', 'Further name in the network', { hidden: true, alias: 'network-alias' }],
  ['', 'network', 'network', 'Network: a name, none, host or container:<name|id>', network],
  ['', 'network-alias', 'list', 'Further name in the network'],
  ['', 'no-healthcheck', 'bool', "Ignore the image's health check"],
  ['', 'oom-kill-disable', 'bool', 'Do not kill processes when memory is used up (cgroup v1)'],
  [
    '',
    'oom-score-adj',
    'int',
    'Likelihood to be killed when memory is short, -1000 to 1000',
    { parse: parseRange(-1000, 1000) },
  ],
  ['', 'pid', 'string', 'PID namespace: host or container:<name|id>', { parse: parseNamespace() }],
  ['', 'pids-limit', 'int64', 'Most processes and threads; -1 for no limit'],
  ['', 'platform', 'string', 'Platform of the image (os/arch[/variant])', { parse: parsePlatform }],
  ['', 'privileged', 'bool', 'All capabilities and devices, no confinement'],
  ['p', 'publish', 'list', 'Publish a port ([[address:][port]:]port[/protocol])', { parse: parsePublish }],
  ['P', 'publish-all', 'bool', 'Publish all declared ports'],
  [
    '',
    'pull',
    'string',
    'When to pull the image: always, missing or never',
    { default: '"missing"', parse: oneOf('always', 'missing', 'never') },
  ],
  ['q', 'quiet', 'bool', 'Do not show the pull'],
  ['', 'read-only', 'bool', 'Make the root file system read-only'],
  [
    '',
    'restart',
    'string',
    'When it is started again: no, on-failure[:count], always or unless-stopped',
    { default: '"no"', parse: parseRestart },
  ],
  ['', 'rm', 'bool', 'Remove the container when it exits'],
  [
    '',
    'runtime',
    'string',
    'OCI runtime',
    { status: 'refused', reason: 'jubako starts containers itself, without another runtime' },
  ],
  [
    '',
    'security-opt',
    'list',
    'Confinement: seccomp=<file>|unconfined, no-new-privileges, ...',
    { parse: parseSecurityOpt },
  ],
  ['', 'shm-size', 'bytes', 'Size of /dev/shm', { default: '64m' }],
  ['', 'stop-signal', 'string', 'Signal that stops it', { parse: signalText }],
  [
    '',
    'stop-timeout',
    'int',
    'Seconds between the stop signal and SIGKILL; -1 waits for ever',
    { parse: parseRange(-1, 2 ** 31 - 1) },
  ],
  ['', 'storage-opt', 'list', 'Storage option', { status: 'refused', reason: 'overlay has no limit per container' }],
  ['', 'sysctl', 'map', 'Kernel setting of its namespaces (name=value)', { parse: parseSysctl }],
  [
    '',
    'timeout',
    'int',
    'Seconds that it may run before it is killed; 0 for no end',
    { parse: parseRange(0, 2 ** 31 - 1) },
  ],
  ['', 'tmpfs', 'list', 'Mount a tmpfs (path[:options])', { parse: parseTmpfs }],
  ['t', 'tty', 'bool', 'Give it a terminal'],
  ['', 'ulimit', 'ulimit', 'Resource limit (name=soft[:hard])', { parse: parseUlimit }],
  ['', 'use-api-socket', 'bool', 'Mount the API socket', { status: 'missing', reason: 'there is no API socket yet' }],
  ['u', 'user', 'string', 'User and group (<name|uid>[:<group|gid>])'],
  ['', 'userns', 'string', 'User namespace: host', { parse: oneOf('', 'host') }],
  ['', 'uts', 'string', 'UTS namespace: host', { parse: oneOf('', 'host') }],
  [
    'v',
    'volume',
    'list',
    'Mount a directory or file of the host (source:target[:options])',
    { parse: (text) => parseVolume(text, process.cwd()) },
  ],
  ['', 'volume-driver', 'string', 'Volume driver', volumes],
  ['', 'volumes-from', 'list', 'Mount the volumes of another container', volumes],
  ['w', 'workdir', 'string', 'Working directory'],
]
