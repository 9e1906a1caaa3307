import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { ROOT } from './root.mjs'

/** Platform packages that are published. npm installs the one whose `os`, `cpu` and `libc` fit. */
export const PLATFORMS = ['@jubako/linux-x64-gnu', '@jubako/linux-arm64-gnu']

/** What a platform package holds, beside package.json; the same names as in `build/Release`. */
export const NATIVE_FILES = ['jubako.node', 'jubako-init', 'jubako-hello']

/** `gnu` or `musl`: which C library this Node was linked with. */
export function libc() {
  return process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'
}

/** Name of the package that carries the built files for this machine. */
export function platformPackage() {
  return `@jubako/linux-${process.arch}-${libc()}`
}

/** Directory of the installed platform package, or undefined. */
export function installedPlatformPackage() {
  try {
    const directory = dirname(createRequire(join(ROOT, 'package.json')).resolve(`${platformPackage()}/package.json`))
    return NATIVE_FILES.every((name) => existsSync(join(directory, name))) ? directory : undefined
  } catch {
    return undefined
  }
}
