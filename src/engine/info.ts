import { readFileSync } from 'node:fs'
import { availableParallelism, release, totalmem } from 'node:os'
import { boundingSet, capabilityNames } from '../oci/capabilities.js'
import type { EngineContext } from './context.js'
import { readHost } from './host.js'
import { snapshotOf } from './state.js'
import type { EngineInfo } from './types.js'
import { packageVersion } from './version.js'

function operatingSystem(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    return /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1] ?? 'Linux'
  } catch {
    return 'Linux'
  }
}

/** What does not work here, each with its reason. */
function warnings(context: EngineContext): string[] {
  const bounding = boundingSet(readHost().processStatus)
  const missing = capabilityNames.filter((_, number) => !((bounding >> BigInt(number)) & 1n))
  const out = missing.map((name) => `CAP_${name} is not in the bounding set: containers cannot get it`)
  for (const controller of ['cpu', 'cpuset', 'memory', 'pids']) {
    if (!context.cgroups.controllers.includes(controller))
      out.push(`no ${controller} cgroup controller: its limits do not work`)
  }
  return out
}

export function engineInfo(context: EngineContext): EngineInfo {
  const states = context.store.all().map((config) => snapshotOf(context, config).state)
  const count = (state: string) => states.filter((it) => it === state).length
  return {
    root: context.root,
    runRoot: context.runRoot,
    version: packageVersion(),
    containers: {
      total: states.length,
      running: count('running'),
      paused: count('paused'),
      stopped: count('exited') + count('created') + count('dead'),
    },
    images: context.images.list().length,
    kernelVersion: release(),
    operatingSystem: operatingSystem(),
    architecture: { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch,
    cpus: availableParallelism(),
    memory: totalmem(),
    cgroupVersion: context.cgroups.version,
    cgroupControllers: [...context.cgroups.controllers],
    storageDriver: 'overlay',
    warnings: warnings(context),
  }
}
