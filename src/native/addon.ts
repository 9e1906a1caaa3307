import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { JubakoError } from '../errors/index.js'

/** What `native/addon.cc` exports. Errors are plain objects of {@link NativeFailure}'s shape. */
export interface Addon {
  /** Ends of a stream socket; the second is for `startInit`. */
  controlPair(): [number, number]
  /** Closes `control`. */
  startInit(image: number, role: string, title: string, control: number, fds: number[]): Promise<StartedInit>
  /** Bytes sent, at least one, with the descriptors. Throws a {@link NativeFailure}. */
  passDescriptors(socket: number, data: Buffer, fds: readonly number[]): number
  /** Exit code, or minus the signal's number. */
  reapInit(pidfd: number): Promise<number>
  sealInit(source: string, directory: string | null): number
  /** SIGKILL by pidfd. */
  killInit(pidfd: number): void
  isLocked(path: string): boolean
  lockRun(path: string): number
  /** Read end, write end. */
  openPipe(): [number, number]
  closeFd(fd: number): void
  /** errno, 0 when the lock was taken. */
  tryFlock(fd: number, exclusive: boolean): number
  /** errno, 0 for success. */
  renameNoReplace(from: string, to: string): number
  renameExchange(a: string, b: string): number
  hasOpaqueMark(fd: number): boolean
  syncFileSystem(fd: number): Promise<void>
  removeTree(path: string): Promise<void>
  /** errno when it cannot be read. */
  readText(path: string): string | number
  /** Seven values a name. Throws a {@link NativeFailure}. */
  surveyContainers(records: string, runs: string): { names: string[]; values: Float64Array }
  sendFile(socket: number, file: number, offset: number, count: number): Promise<number>
  freeBuffer(memory: ArrayBufferLike): void
  /** A plan as `src/native/mounts.ts` encodes it. */
  mountOverlay(plan: Uint8Array): Promise<void>
  unmount(path: string): Promise<void>
  /** errno, 0 for success. SIGKILL to a process of a frozen cgroup. */
  killFrozen(pid: number): number
  /** Throws a {@link NativeFailure}. */
  netlink(protocol: number, what: string, messages: Uint8Array, tolerated: Int32Array): Buffer
  /** 0: there is no such link. */
  linkIndex(name: string): number
  /** Rules as `src/native/seccomp.ts` encodes them; an array of `struct sock_filter`. */
  assembleSeccomp(rules: Uint8Array): Buffer
  /** The settings before, or the errno. */
  makeRaw(fd: number): Buffer | number
  /** errno, 0 for success. */
  setTerminal(fd: number, settings: Buffer): number
  /** -1: there is none. `arch` is the index in `archs` of `src/oci/seccomp.ts`. */
  syscallNumber(name: string, arch: number): number
}

export interface StartedInit {
  pid: number
  pidfd: number
}

/** The fields of `native/sys/failure.h`. */
export interface NativeFailure {
  errno: number
  /** Number in `native/spawn/steps.def`; 0 outside of steps. */
  op: number
  syscall: string
  path: string
  detail: number
}

/** npm installs at most one of them, see docs/decisions/platform-packages.md. */
const platformPackages = ['gnu', 'musl'].map((libc) => `@jubako/linux-${process.arch}-${libc}`)

/** Folder with `jubako.node`, `jubako-init` and `jubako-hello`: the platform package's, else the checkout's build. */
function findArtefacts(): string {
  const require = createRequire(import.meta.url)
  for (const name of platformPackages) {
    try {
      return dirname(require.resolve(`${name}/package.json`))
    } catch {
      // not installed
    }
  }
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'build', 'Release')
    if (existsSync(join(candidate, 'jubako.node'))) return candidate
  }
  throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `no native addon for linux-${process.arch}`, {
    hint: `install the package ${platformPackages[0]}, or run "npm install" in a checkout`,
  })
}

let artefacts: string | undefined
let loaded: Addon | undefined

/** Absolute path of a built file beside the addon, for example `jubako-hello`. */
export function artefactPath(name: string): string {
  artefacts ??= findArtefacts()
  return join(artefacts, name)
}

/** The addon, loaded at its first use. */
export function addon(): Addon {
  loaded ??= createRequire(import.meta.url)(artefactPath('jubako.node')) as Addon
  return loaded
}
