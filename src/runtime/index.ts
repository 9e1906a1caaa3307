/** Containers: records on disk, plans, and the processes that carry them out. */
export {
  type BindMount,
  type ContainerConfig,
  type ContainerMount,
  type DeviceMount,
  type HealthConfig,
  type IdMap,
  type ImageMount,
  type NamespaceMode,
  ownsNetwork,
  type RestartConfig,
  type TmpfsMount,
  type Ulimit,
  type VolumeMount,
} from './config.js'
export {
  connectIfRunning,
  decodeExit,
  type ExitInfo,
  FramedStreams,
  request,
  requests,
  runSteps,
  waitForExit,
} from './connection.js'
export {
  decodeFound,
  decodeList,
  type FileJob,
  type FoundPath,
  planJoinedRoot,
  planStoppedRoot,
  runFileJob,
} from './files.js'
export { Clone, rlimitNumbers } from './flags.js'
export type { LogLine } from './log-line.js'
export { followLog, readLog } from './log-reader.js'
export { type ContainerPaths, Places } from './paths.js'
export {
  type Host,
  madeEarly,
  namespaceSteps,
  planContainer,
  planPreparation,
  planRoot,
  type VolumeRelease,
} from './plan.js'
export { planExec } from './plan-exec.js'
export { type HostDevice, hostDevices } from './plan-mounts.js'
export type { MountSource } from './plan-volumes.js'
export { readJson } from './read-json.js'
export type { ContainerRecords } from './record-cache.js'
export { withResolvers } from './resolvers.js'
export { type Beginning, ContainerStore, type ManagedFiles } from './store.js'
export { type Supervised, startSupervised } from './supervised.js'
export { checkVolumeOptions, deviceVolume } from './volume-options.js'
export { checkVolumeName, type NewVolume, type VolumeRecord, VolumeStore } from './volume-store.js'
