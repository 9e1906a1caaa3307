import type { Cgroup } from '../cgroups/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'

/** By the record that it was opened for: it is asked for at every exec. */
const opened = new WeakMap<ContainerConfig, Cgroup>()

export function cgroupOf(context: EngineContext, config: ContainerConfig): Cgroup {
  let cgroup = opened.get(config)
  if (cgroup === undefined) {
    cgroup = context.cgroups.open(config.id, { parent: config.cgroupParent ?? context.cgroupParent })
    opened.set(config, cgroup)
  }
  return cgroup
}

/** What may fail because the container's cgroup goes with the container meanwhile: then it gives false. */
async function unlessGone(cgroup: Cgroup, act: () => Promise<void>): Promise<boolean> {
  if (!cgroup.exists()) return false
  try {
    await act()
    return true
  } catch (error) {
    if (cgroup.exists()) throw error
    return false
  }
}

/** @returns false when there is nothing to freeze: the container has ended */
export function freeze(cgroup: Cgroup): Promise<boolean> {
  return unlessGone(cgroup, () => cgroup.freeze())
}

/** @returns false when nothing was frozen */
export async function thaw(cgroup: Cgroup): Promise<boolean> {
  if (!cgroup.exists() || cgroup.state() === 'thawed') return false
  return unlessGone(cgroup, () => cgroup.thaw())
}
