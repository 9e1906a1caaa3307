import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { isJubakoError, JubakoError } from '../errors/index.js'
import type { RunNetwork } from '../network/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { reservedPorts, runningNetworks } from './network-state.js'

/** Docker's words for a port that is taken, and whose it is as far as that can be seen. */
export function networkError(
  context: EngineContext,
  config: ContainerConfig,
  run: RunNetwork | undefined,
  error: unknown,
): unknown {
  if (!isJubakoError(error) || error.step !== 'reserve-port') return error
  const [, address = '', port = '', protocol = ''] = /^(.*):(\d+)\/(\w+)$/.exec(error.path ?? '') ?? []
  const endpoint = run?.endpoints[0]?.id ?? ''
  const where = address.includes(':') ? `[${address}]` : address
  const what = `driver failed programming external connectivity on endpoint ${config.name} (${endpoint}): `
  if (error.errnoName !== 'EADDRINUSE') {
    return new JubakoError(error.code, `${what}failed to bind host port for ${where}: ${error.errnoName}`, {
      cause: error,
      hint: 'is the address one of this host?',
    })
  }
  const number = Number(port)
  const holder = containerOf(context, config.id, number, protocol) ?? processOf(number, protocol)
  return new JubakoError('ERR_JUBAKO_CONFLICT', `${what}Bind for ${where}:${port} failed: port is already allocated`, {
    cause: error,
    path: error.path,
    hint: holder === undefined ? 'choose another port' : `${holder} has it`,
  })
}

function containerOf(context: EngineContext, self: string, port: number, protocol: string): string | undefined {
  for (const { config, run } of runningNetworks(context)) {
    if (config.id === self) continue
    const reserved = reservedPorts(context, config.id)
    if (run.published.some((one) => one.protocol === protocol && reserved[one.reservation] === port))
      return `container ${config.name}`
  }
  return undefined
}

/** By the inode of its socket: /proc/net/{tcp,udp}* and the descriptors of all processes. */
function processOf(port: number, protocol: string): string | undefined {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = new Set<string>()
  for (const table of [protocol, `${protocol}6`]) {
    for (const line of text(`/proc/net/${table}`).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      if (fields[1]?.endsWith(end) && fields[9] !== undefined) inodes.add(`socket:[${fields[9]}]`)
    }
  }
  if (inodes.size === 0) return undefined
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of list(`/proc/${pid}/fd`)) {
      let target = ''
      try {
        target = readlinkSync(`/proc/${pid}/fd/${fd}`)
      } catch {
        continue
      }
      if (inodes.has(target)) return `process ${pid} (${text(`/proc/${pid}/comm`).trim()})`
    }
  }
  return undefined
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
