import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from './root.mjs'

/** `gnu` or `musl`: which C library this Node was linked with. */
export function libc() {
  return process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'
}

/** Name of the package that carries the built files for this machine, for example `@jubako/linux-x64-gnu`. */
export function platformPackage() {
  return `@jubako/linux-${process.arch}-${libc()}`
}

/** Directory of the installed platform package, or undefined. */
export function installedPlatformPackage() {
  try {
    const manifest = createRequire(join(ROOT, 'package.json')).resolve(`${platformPackage()}/package.json`)
    return existsSync(manifest) ? join(manifest, '..') : undefined
  } catch {
    return undefined
  }
}
