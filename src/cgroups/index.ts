/**
 * cgroups of containers: limits, statistics, freezing, killing, removal; one interface over v1, hybrid and v2 hosts.
 *
 * {@link CgroupHost.plan} decides, the container's supervisor performs; {@link CgroupHost.open} works on what runs.
 */
export { detectCgroups } from './detect.js'
export type {
  Cgroup,
  CgroupHost,
  CgroupKill,
  CgroupPlacement,
  CgroupPlan,
  CgroupStats,
  CgroupWrite,
  CheckedResources,
  FreezerState,
  Resources,
  Throttle,
} from './types.js'
