import type { DeviceOption, ThrottleOption } from '../../engine/types.js'
import { parseBytes } from './bytes.js'

const isMode = (text: string): boolean => /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length

/** One `--device`: `host[:container][:permissions]`. */
export function parseDevice(text: string): DeviceOption {
  const parts = text.split(':')
  const [hostPath, second, third] = parts as [string, string?, string?]
  if (/^[^/:]+\/[^/:]+=[^:]+$/.test(text))
    throw new Error(`CDI devices are not supported: '${text}' (give the path of the device node)`)
  if (parts.length > 3) throw new Error(`invalid device specification: ${text}`)
  if (!hostPath.startsWith('/')) throw new Error(`bad format for path: '${hostPath}' (an absolute path)`)
  const onlyMode = second !== undefined && third === undefined && isMode(second)
  const containerPath = onlyMode ? undefined : second
  const permissions = onlyMode ? second : third
  if (containerPath !== undefined && !containerPath.startsWith('/'))
    throw new Error(`${containerPath} is not an absolute path`)
  if (permissions !== undefined && !isMode(permissions))
    throw new Error(`bad mode specified: ${permissions} (letters of rwm)`)
  return {
    hostPath,
    ...(containerPath === undefined ? {} : { containerPath }),
    ...(permissions === undefined ? {} : { permissions }),
  }
}

/** One `--device-cgroup-rule`: `type major:minor permissions`, as the devices cgroup has it. */
export function parseDeviceRule(text: string): string {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text))
    throw new Error(`invalid device cgroup format '${text}' (for example 'c 42:* rmw')`)
  return text
}

function splitDevice(text: string): [path: string, value: string] {
  const colon = text.lastIndexOf(':')
  if (colon < 1) throw new Error(`bad format: ${text} (path:value)`)
  const path = text.slice(0, colon)
  if (!path.startsWith('/dev/')) throw new Error(`bad format for device path: ${text}`)
  return [path, text.slice(colon + 1)]
}

/** One `--device-read-bps` or `--device-write-bps`: `path:size`. */
export function parseThrottleBps(text: string): ThrottleOption {
  const [path, rate] = splitDevice(text)
  return { path, rate: parseBytes(rate) }
}

/** One `--device-read-iops` or `--device-write-iops`: `path:count`. */
export function parseThrottleIops(text: string): ThrottleOption {
  const [path, rate] = splitDevice(text)
  if (!/^[0-9]+$/.test(rate)) throw new Error(`invalid rate for device: ${text} (a positive whole number)`)
  return { path, rate: Number(rate) }
}

/** One `--blkio-weight-device`: `path:weight`. */
export function parseWeightDevice(text: string): { path: string; weight: number } {
  const [path, weight] = splitDevice(text)
  const value = Number(weight)
  if (!/^[0-9]+$/.test(weight) || (value !== 0 && (value < 10 || value > 1000)))
    throw new Error(`invalid weight for device: ${text} (10 to 1000)`)
  return { path, weight: value }
}
