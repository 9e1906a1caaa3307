import type { CgroupHost } from '../cgroups/index.js'
import type { ImageStore } from '../images/index.js'
import type { ProcessPlan } from '../native/index.js'
import type { ContainerStore } from '../runtime/index.js'
import type { Events } from './events.js'

/** What the engine's parts share. */
export interface EngineContext {
  root: string
  runRoot: string
  store: ContainerStore
  images: ImageStore
  cgroups: CgroupHost
  events: Events
  /** Parent of all containers' cgroups. */
  cgroupParent: string
  /** Changes every plan before it is carried out: how tests make a step fail. */
  alterPlan: ((plan: ProcessPlan) => ProcessPlan) | undefined
  /** Cgroup parents that were needed; removed when the engine closes, if they are empty. */
  cgroupParents: Set<string>
}
