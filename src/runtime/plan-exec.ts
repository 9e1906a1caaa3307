import type { Cgroup } from '../cgroups/index.js'
import type { EventPlan, ProcessPlan, Step, StreamPlan } from '../native/index.js'
import type { ContainerConfig } from './config.js'
import { Clone, rlimitNumbers } from './flags.js'
import type { ContainerPaths } from './paths.js'
import { type Host, identitySteps } from './plan.js'

export interface ExecInput {
  config: ContainerConfig
  paths: ContainerPaths
  cgroup: Pick<Cgroup, 'into' | 'join'>
  host: Host
  argv: string[]
  env: string[]
  user: string
  workdir: string
  privileged: boolean
  tty: boolean
  owned: boolean
  /** Its jubako-init is used again. Default: false. */
  reusable?: boolean
  streams: readonly [StreamPlan, StreamPlan, StreamPlan]
  attachMask: number
  rows: number
  columns: number
  events: EventPlan | null
  /** Where its records go: what identifies it, and JSON members of the first of them. null: none are kept. */
  record: { id: string; text: string } | null
}

const recordSteps = ({ argv, paths }: ExecInput): Step[] => [
  ['event', JSON.stringify(`exec_create: ${argv.join(' ')}`)],
  ['mkdir', paths.execs, 0o700, true],
]

/** Descriptor number, counted from the first passed one, where `exec` puts the container's pidfd (native/init/exec.cc). */
const pidfdIndex = 31

/** Turns a command for a running container into the steps of its process. */
export function planExec(input: ExecInput): ProcessPlan {
  const { config, cgroup, paths, record } = input
  return {
    cloneFlags: 0,
    intoCgroup: cgroup.into,
    owned: input.owned,
    streams: input.streams,
    attachMask: input.attachMask,
    stdinOnce: true,
    rows: input.rows,
    columns: input.columns,
    log: null,
    spillDirectory: paths.directory,
    exitPath: record === null ? null : `${paths.execs}/${record.id}.exit`,
    statePath: record === null ? null : `${paths.execs}/${record.id}.json`,
    stateText: record?.text ?? '',
    oom: null,
    kill: { kind: 'init' },
    reusable: input.reusable ?? false,
    killOnEnd: false,
    events: input.events,
    restart: { policy: 'no', maxRetries: 0 },
    lifeLimit: 0,
    stopSignal: 0,
    stopTimeout: 0,
    health: null,
    begin: [
      ['find-container', paths.socket, BigInt(namespaces(config))],
      ...(record === null ? [] : recordSteps(input)),
    ],
    host: [],
    beside: [],
    child: childSteps(input),
    exit: [],
    end: [],
  }
}

function namespaces(config: ContainerConfig): number {
  let flags = Clone.newMount
  if (config.pid !== 'host') flags |= Clone.newPid
  if (config.ipc !== 'host') flags |= Clone.newIpc
  if (config.uts !== 'host') flags |= Clone.newUts
  if (config.network !== 'host') flags |= Clone.newNetwork
  if (config.cgroupns === 'private') flags |= Clone.newCgroup
  return flags
}

function childSteps(input: ExecInput): Step[] {
  const { config, cgroup } = input
  const steps: Step[] = []
  if (cgroup.join.length > 0) steps.push(['cgroup-join', cgroup.join])
  if (config.oomScoreAdj !== 0) steps.push(['oom-score-adj', config.oomScoreAdj])
  // The pid namespace was joined by the parent.
  steps.push(['join-namespace', pidfdIndex, BigInt(namespaces(config) & ~Clone.newPid), 'container'])
  if (input.tty) steps.push(['console', 'exec'])
  steps.push(['session'])
  for (const { name, soft, hard } of config.ulimits) {
    steps.push(['rlimit', rlimitNumbers[name]!, BigInt(soft), BigInt(hard), name])
  }
  // As the container is, but for one that is privileged by itself.
  const privileged = config.privileged || input.privileged
  const noNewPrivileges = config.noNewPrivileges && !input.privileged
  steps.push(
    ['user', input.user, config.groupAdd],
    ['workdir', input.workdir === '' ? '/' : input.workdir, false],
    ...identitySteps({ ...config, privileged, noNewPrivileges }, input.host),
    ['execute', input.argv, input.env, false],
  )
  return steps
}
