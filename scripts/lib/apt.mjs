import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

function onPath(command) {
  return [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_PATH].some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK)
      return directory !== ''
    } catch {
      return false
    }
  })
}

/** @param {import('./packages.mjs').PackageRow} row */
function present(row) {
  return (row.command !== undefined && onPath(row.command)) || [row.file ?? []].flat().some((file) => existsSync(file))
}

/** Rows of the table whose command and file are both absent. */
export function missingPackages(table) {
  return table.filter((row) => !present(row))
}

/** Whether this process can install Debian packages. */
export function canInstall() {
  return process.getuid?.() === 0 && onPath('apt-get')
}

function apt(...args) {
  return spawnSync('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  })
}

function hasPackageLists() {
  try {
    return readdirSync('/var/lib/apt/lists').some((name) => name.includes('_Packages'))
  } catch {
    return false
  }
}

/** Runs `act` while Debian's packages start no daemon (docker-registry would listen on port 5000). */
function withoutServices(act) {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return act()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return act()
  } finally {
    rmSync(policy, { force: true })
  }
}

/**
 * Installs what the table names and the machine lacks.
 *
 * @param {import('./packages.mjs').PackageRow[]} table
 * @param {string} purpose Completes "... is needed to".
 * @throws {Error} One line that names the packages, when they cannot be installed from here.
 */
export function ensurePackages(table, purpose) {
  const rows = missingPackages(table)
  if (rows.length === 0) return
  const names = rows.map((row) => row.package)
  const remedy = `apt-get install -y ${names.join(' ')}`
  if (!canInstall()) throw new Error(`missing, needed to ${purpose}: ${names.join(' ')} (as root on Debian: ${remedy})`)
  process.stderr.write(`installing Debian packages to ${purpose}: ${names.join(' ')}\n`)
  const install = () => withoutServices(() => apt('install', '--no-install-recommends', ...names))
  let result = hasPackageLists() ? install() : undefined
  if (result?.status !== 0) {
    apt('update')
    result = install()
  }
  if (result.status !== 0) throw new Error(`\`${remedy}\` failed:\n${result.stderr.trim() || result.stdout.trim()}`)
  const still = missingPackages(rows)
  if (still.length > 0)
    throw new Error(`still missing after \`${remedy}\`: ${still.map((row) => row.package).join(' ')}`)
}
