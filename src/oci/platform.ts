import { JubakoError } from '../errors/index.js'
import { type JsonObject, optionalString, optionalStrings, requireObject } from './json.js'

/** A platform as the OCI image index names it (image-spec, "Image Index", `platform`). */
export interface Platform {
  os: string
  architecture: string
  variant?: string
  'os.version'?: string
  'os.features'?: string[]
}

/** Other names of architectures, with the variant the name implies (Go's names; `uname -m`; Debian). */
const ARCHITECTURES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  i386: ['386'],
  i486: ['386'],
  i586: ['386'],
  i686: ['386'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
}

/** Architectures that can be named without an operating system. */
const KNOWN_ARCHITECTURES = new Set(
  '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
    ' ',
  ),
)

const KNOWN_SYSTEMS = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
)

/** Node's `process.arch` in the index's words. */
const NODE_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', loong64: 'loong64' }

/** Lower case, canonical names, and no variant where it says nothing (`arm64/v8`, `amd64/v1`). */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase() === 'macos' ? 'darwin' : platform.os.toLowerCase()
  const named = platform.architecture.toLowerCase()
  const [architecture, implied] = Object.hasOwn(ARCHITECTURES, named) ? ARCHITECTURES[named]! : [named]
  const variant = normalizeVariant(architecture, (platform.variant ?? '').toLowerCase() || implied)
  const result: Platform = { ...platform, os, architecture }
  delete result.variant
  if (variant !== undefined) result.variant = variant
  return result
}

function normalizeVariant(architecture: string, variant: string | undefined): string | undefined {
  if (architecture === 'arm') return variant === undefined ? 'v7' : /^\d+$/.test(variant) ? `v${variant}` : variant
  if (architecture === 'arm64' && (variant === '8' || variant === 'v8')) return undefined
  if (architecture === 'amd64' && variant === 'v1') return undefined
  return variant
}

/**
 * Parses `os[/arch[/variant]]` or a bare architecture, as `--platform` takes it.
 *
 * @param host fills in what is not said
 * @throws JubakoError `ERR_JUBAKO_INVALID_ARGUMENT`
 */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = text.split('/')
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) throw badPlatform(text)
  const [first, architecture, variant] = parts as [string, string?, string?]
  if (architecture !== undefined) {
    return normalizePlatform({ os: first, architecture, ...(variant === undefined ? {} : { variant }) })
  }
  const asArchitecture = normalizePlatform({ os: host.os, architecture: first })
  if (KNOWN_ARCHITECTURES.has(asArchitecture.architecture)) return asArchitecture
  const asSystem = normalizePlatform({ ...host, os: first })
  if (KNOWN_SYSTEMS.has(asSystem.os)) return asSystem
  throw badPlatform(text)
}

function badPlatform(text: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', `"${text}": unknown operating system or architecture`, {
    path: text,
    hint: 'write a platform as os[/arch[/variant]], for example linux/arm64',
  })
}

/** A platform as documents have it, without what is not said. */
export function encodePlatform(platform: Platform): Record<string, unknown> {
  const { os, architecture, variant } = platform
  return {
    architecture,
    os,
    ...(platform['os.version'] && { 'os.version': platform['os.version'] }),
    ...(platform['os.features']?.length && { 'os.features': platform['os.features'] }),
    ...(variant && { variant }),
  }
}

/** Whether there is such a system and such an architecture. */
export function isKnownPlatform({ os, architecture }: Platform): boolean {
  return KNOWN_SYSTEMS.has(os) && KNOWN_ARCHITECTURES.has(architecture)
}

/** `os/arch[/variant]`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform
  return [os, architecture, ...(variant ? [variant] : [])].join('/')
}

/** Platform of this process's host. Linux only; the architecture is the one Node was built for. */
export function hostPlatform(): Platform {
  const architecture = NODE_ARCHITECTURES[process.arch] ?? process.arch
  return normalizePlatform({ os: 'linux', architecture })
}

/** Platform member of an index entry or the corresponding members of an image configuration. */
export function parsePlatformObject(value: unknown, what: string): Platform {
  const object = requireObject(value, what)
  const platform: Platform = {
    os: optionalString(object, 'os', what) ?? '',
    architecture: optionalString(object, 'architecture', what) ?? '',
  }
  const variant = optionalString(object, 'variant', what)
  if (variant !== undefined && variant !== '') platform.variant = variant
  addWindowsMembers(platform, object, what)
  return platform
}

function addWindowsMembers(platform: Platform, object: JsonObject, what: string): void {
  const version = optionalString(object, 'os.version', what)
  if (version !== undefined) platform['os.version'] = version
  const features = optionalStrings(object, 'os.features', what)
  if (features !== undefined) platform['os.features'] = features
}

/** Variants that run on a host of the wanted one, best first. */
function acceptableVariants(wanted: Platform): readonly (string | undefined)[] {
  if (wanted.architecture === 'arm') {
    const newest = Number(/^v(\d)$/.exec(wanted.variant ?? '')?.[1] ?? Number.NaN)
    if (Number.isNaN(newest)) return [wanted.variant]
    return Array.from({ length: Math.max(newest - 4, 1) }, (_, i) => `v${newest - i}`)
  }
  if (wanted.architecture === 'amd64') {
    const newest = Number(/^v(\d)$/.exec(wanted.variant ?? 'v1')?.[1] ?? Number.NaN)
    if (Number.isNaN(newest)) return [wanted.variant, undefined]
    return Array.from({ length: newest }, (_, i) => (newest - i === 1 ? undefined : `v${newest - i}`))
  }
  return [wanted.variant, ...(wanted.variant === undefined ? [] : [undefined])]
}

/**
 * How well `offered` serves a request for `wanted`: 0 is exact, higher is worse, undefined does not run.
 * 64-bit hosts are not offered 32-bit images; ask for them by platform.
 */
export function platformRank(wanted: Platform, offered: Platform): number | undefined {
  const want = normalizePlatform(wanted)
  const have = normalizePlatform(offered)
  if (want.os !== have.os || want.architecture !== have.architecture) return undefined
  const rank = acceptableVariants(want).indexOf(have.variant)
  return rank < 0 ? undefined : rank
}

export function platformMatches(wanted: Platform, offered: Platform): boolean {
  return platformRank(wanted, offered) !== undefined
}
