import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** A bootable kernel: Debian's stock cloud kernel, installed or unpacked into a cache. */
export interface Kernel {
  release: string
  /** Absolute path of the kernel image. */
  image: string
  /** Directory above `lib/modules/<release>`. */
  root: string
}

const META_PACKAGE = 'linux-image-cloud-amd64'

function newestKernel(root: string): Kernel | undefined {
  const modules = join(root, 'lib/modules')
  if (!existsSync(modules)) return undefined
  const releases = readdirSync(modules).filter((name) => name.includes('-cloud-'))
  releases.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  for (const release of releases.reverse()) {
    const image = join(root, 'boot', `vmlinuz-${release}`)
    if (existsSync(image) && existsSync(join(modules, release, 'kernel'))) return { release, image, root }
  }
  return undefined
}

function imagePackage(): string {
  const depends = execFileSync('apt-cache', ['depends', META_PACKAGE], { encoding: 'utf8' })
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
  if (name === undefined) throw new Error(`apt-cache knows no package behind ${META_PACKAGE}`)
  return name
}

/**
 * Downloads Debian's cloud kernel and unpacks it below `cache`, without installing it: an installed kernel would become
 * the machine's next one to boot.
 */
function unpackKernel(cache: string): void {
  mkdirSync(cache, { recursive: true })
  const work = mkdtempSync(join(cache, '.kernel-'))
  try {
    execFileSync('apt-get', ['-q', 'download', imagePackage()], { cwd: work, stdio: ['ignore', 'ignore', 'pipe'] })
    const archive = readdirSync(work).find((name) => name.endsWith('.deb'))
    if (archive === undefined) throw new Error('apt-get download brought no package')
    const unpacked = join(work, 'root')
    execFileSync('dpkg-deb', ['-x', join(work, archive), unpacked])
    const release = newestKernel(unpacked)?.release
    if (release === undefined) throw new Error(`${archive} has no cloud kernel in it`)
    execFileSync('depmod', ['-b', unpacked, release])
    renameSync(unpacked, join(cache, 'kernel'))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/**
 * The kernel to boot: an installed cloud kernel, else one cached below `cache`, else a new download.
 *
 * @throws {Error} When Debian's package tools are missing or the download fails.
 */
export function findKernel(cache: string): Kernel {
  const existing = newestKernel('/') ?? newestKernel(join(cache, 'kernel'))
  if (existing !== undefined) return existing
  unpackKernel(cache)
  const fresh = newestKernel(join(cache, 'kernel'))
  if (fresh === undefined) throw new Error(`no cloud kernel below ${cache}`)
  return fresh
}

/** Module files in the order in which they can be inserted, dependencies first. Built-in modules have none. */
export function moduleFiles(kernel: Kernel, names: readonly string[]): string[] {
  const files = new Set<string>()
  for (const name of names) {
    const arguments_ = ['-d', kernel.root, '-S', kernel.release, '--show-depends', name]
    const output = execFileSync('modprobe', arguments_, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    for (const match of output.matchAll(/^insmod (\S+)/gm)) if (match[1]) files.add(match[1])
  }
  return [...files]
}
