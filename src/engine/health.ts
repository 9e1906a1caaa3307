import { invalidArgument } from '../errors/index.js'
import { encodePlan, type HealthPlan } from '../native/index.js'
import type { Healthcheck } from '../oci/image-config.js'
import { type ContainerConfig, type HealthConfig, planExec, readJson } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { readHost } from './host.js'
import type { Health, HealthOptions } from './life-types.js'

const NANO_PER_MILLI = 1e6
const DEFAULTS = { interval: 30_000, timeout: 30_000, startPeriod: 0, startInterval: 5_000, retries: 3 }

const times = [
  ['interval', 'Interval'],
  ['timeout', 'Timeout'],
  ['startPeriod', 'StartPeriod'],
  ['startInterval', 'StartInterval'],
] as const

/**
 * The image's health check with what the caller wants instead.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT with Docker's message
 */
export function healthConfig(
  image: Healthcheck | undefined,
  shell: string[] | undefined,
  given: HealthOptions | undefined,
): HealthConfig | null {
  for (const [key, name] of times) {
    const value = given?.[key]
    if (value !== undefined && value !== 0 && !(value >= 1)) {
      throw invalidArgument(`${name} in Healthcheck cannot be less than 1ms`)
    }
  }
  const retries = given?.retries ?? image?.Retries ?? 0
  if (!(retries >= 0)) throw invalidArgument('Retries in Healthcheck cannot be negative')
  const test = given?.test ?? image?.Test ?? []
  const kind = test[0]
  if (kind === undefined || kind === 'NONE') return null
  if (kind !== 'CMD' && kind !== 'CMD-SHELL') {
    throw invalidArgument(`Unknown healthcheck type '${kind}' (expected 'CMD') in ${JSON.stringify(test)}`)
  }
  const command = kind === 'CMD' ? test.slice(1) : [...(shell ?? ['/bin/sh', '-c']), test.slice(1).join(' ')]
  if (command.length === 0) throw invalidArgument('the health check has no command')
  const time = (key: (typeof times)[number][0], name: (typeof times)[number][1]): number =>
    given?.[key] || (image?.[name] ?? 0) / NANO_PER_MILLI || DEFAULTS[key]
  return {
    test: [...test],
    command,
    interval: time('interval', 'Interval'),
    timeout: time('timeout', 'Timeout'),
    startPeriod: time('startPeriod', 'StartPeriod'),
    startInterval: time('startInterval', 'StartInterval'),
    retries: retries || DEFAULTS.retries,
    onFailure: given?.onFailure ?? 'none',
  }
}

/** What the supervisor needs to execute a container's checks by itself. */
export function healthPlan(context: EngineContext, config: ContainerConfig): HealthPlan | null {
  const { health } = config
  if (health === null) return null
  const parent = config.cgroupParent ?? context.cgroupParent
  const paths = context.store.places.of(config.id)
  const plan = planExec({
    config,
    paths,
    cgroup: context.cgroups.plan(config.id, {}, null, { parent }),
    host: readHost(),
    argv: health.command,
    env: config.env,
    user: config.user,
    workdir: config.workdir,
    privileged: false,
    tty: false,
    owned: true,
    streams: [{ kind: 'null' }, { kind: 'pipe' }, { kind: 'pipe' }],
    attachMask: 6,
    rows: 0,
    columns: 0,
    record: null,
    events: null,
  })
  return {
    plan: encodePlan(plan),
    title: config.id,
    path: paths.health,
    interval: health.interval,
    timeout: health.timeout,
    startPeriod: health.startPeriod,
    startInterval: health.startInterval,
    retries: health.retries,
    action: health.onFailure,
    paused: context.cgroups.open(config.id, { parent }).frozenWhen,
  }
}

/** null without checks. */
export function readHealth(context: EngineContext, config: ContainerConfig): Health | null {
  if (config.health === null) return null
  return (
    readJson<Health>(context.store.places.of(config.id).health) ?? { status: 'starting', failingStreak: 0, log: [] }
  )
}
