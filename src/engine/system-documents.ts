import { hostname, release } from 'node:os'
import { storeTag } from './store-tag.js'
import type { EngineInfo } from './types.js'
import { packageVersion } from './version.js'

/** Of Docker's Engine API: what `jubako serve` speaks. */
export const API_VERSION = '1.51'
export const MIN_API_VERSION = '1.24'

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** Docker's `version` (Engine API 1.51, SystemVersion). */
export function versionDocument(): Record<string, unknown> {
  const arch = ARCHITECTURES[process.arch] ?? process.arch
  const details = {
    ApiVersion: API_VERSION,
    Arch: arch,
    Experimental: 'false',
    GitCommit: '',
    GoVersion: '',
    KernelVersion: release(),
    MinAPIVersion: MIN_API_VERSION,
    NodeVersion: process.version,
    Os: 'linux',
  }
  return {
    Platform: { Name: 'jubako' },
    Components: [{ Name: 'Engine', Version: packageVersion(), Details: details }],
    Version: packageVersion(),
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: arch,
    KernelVersion: release(),
    BuildTime: '',
  }
}

/** Docker's `info` (Engine API 1.51, SystemInfo). */
export function infoDocument(it: EngineInfo): Record<string, unknown> {
  const has = (controller: string): boolean => it.cgroupControllers.includes(controller)
  return {
    ID: `${storeTag(hostname())}-${storeTag(it.root)}`,
    Containers: it.containers.total,
    ContainersRunning: it.containers.running,
    ContainersPaused: it.containers.paused,
    ContainersStopped: it.containers.stopped,
    Images: it.images,
    Driver: 'overlay2',
    DriverStatus: [],
    DockerRootDir: it.root,
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: ['json-file', 'local', 'none'],
    },
    MemoryLimit: has('memory'),
    SwapLimit: has('memory'),
    CpuCfsPeriod: has('cpu'),
    CpuCfsQuota: has('cpu'),
    CPUShares: has('cpu'),
    CPUSet: has('cpuset'),
    PidsLimit: has('pids'),
    IPv4Forwarding: true,
    Debug: false,
    NFd: 0,
    OomKillDisable: it.cgroupVersion === 1,
    NGoroutines: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(it.cgroupVersion),
    NEventsListener: 0,
    KernelVersion: it.kernelVersion,
    OperatingSystem: it.operatingSystem,
    OSVersion: '',
    OSType: 'linux',
    Architecture: it.architecture,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
      IndexConfigs: { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } },
      Mirrors: [],
    },
    NCPU: it.cpus,
    MemTotal: it.memory,
    GenericResources: null,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: it.version,
    Runtimes: { jubako: { path: 'jubako-init' } },
    DefaultRuntime: 'jubako',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: 'jubako-init',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: ['name=seccomp,profile=builtin', ...(it.cgroupVersion === 2 ? ['name=cgroupns'] : [])],
    Warnings: it.warnings.length === 0 ? null : it.warnings,
  }
}
