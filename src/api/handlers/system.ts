import { createHash } from 'node:crypto'
import { hostname, release } from 'node:os'
import { packageVersion } from '../../engine/version.js'
import type { Call } from '../call.js'
import { API_VERSION, MIN_API_VERSION } from '../router.js'

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
const arch = ARCHITECTURES[process.arch] ?? process.arch

const pingHeaders = {
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  Pragma: 'no-cache',
  'Content-Type': 'text/plain; charset=utf-8',
  // 1: clients that can choose build with the classic builder.
  'Builder-Version': '1',
  Swarm: 'inactive',
}

export async function ping(call: Call): Promise<void> {
  await call.reply.bytes(200, 'OK', pingHeaders)
}

export async function pingHead(call: Call): Promise<void> {
  await call.reply.empty(200, pingHeaders)
}

export async function version(call: Call): Promise<void> {
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
  await call.reply.json(200, {
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
  })
}

/** The same for one data root as long as it exists. */
const engineId = (root: string): string =>
  createHash('sha256').update(`${hostname()}:${root}`).digest('hex').slice(0, 32)

export async function info(call: Call): Promise<void> {
  const it = await call.engine.info()
  const has = (controller: string): boolean => it.cgroupControllers.includes(controller)
  await call.reply.json(200, {
    ID: engineId(it.root),
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
      Log: ['json-file', 'none'],
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
  })
}
