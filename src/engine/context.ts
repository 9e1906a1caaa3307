import type { CgroupHost } from '../cgroups/index.js'
import type { ImageStore } from '../images/index.js'
import type { ProcessPlan, Step } from '../native/index.js'
import type { Firewall, NetworkConfig, NetworkStore } from '../network/index.js'
import type { ContainerStore, VolumeStore } from '../runtime/index.js'
import type { Events } from './events.js'
import type { NetworksApi } from './network-types.js'
import type { Spares } from './spares.js'

/** What the engine's parts need of its networks. */
export interface ContextNetworks extends NetworksApi {
  readonly store: NetworkStore
  /** The store's rules. */
  readonly firewall: Firewall
  /** Makes sure of a network's bridge and rules. */
  ensure(network: NetworkConfig): Promise<void>
  /** The default network, made at its first use. */
  defaultNetwork(): Promise<NetworkConfig>
}

/** What the engine's parts share. */
export interface EngineContext {
  root: string
  runRoot: string
  store: ContainerStore
  images: ImageStore
  volumes: VolumeStore
  cgroups: CgroupHost
  events: Events
  spares: Spares
  networks: ContextNetworks
  /** Parent of all containers' cgroups. */
  cgroupParent: string
  /** Changes every plan before it is carried out: how tests make a step fail. */
  alterPlan: ((plan: ProcessPlan) => ProcessPlan) | undefined
  /** Likewise what supervisors do before their plans come. */
  alterPreparation: ((act: readonly Step[]) => readonly Step[]) | undefined
  /** Cgroup parents that were needed; removed when the engine closes, if they are empty. */
  cgroupParents: Set<string>
}
