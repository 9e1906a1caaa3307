import { readFileSync } from 'node:fs'
import type { ContainerStats } from './types.js'

/** Counters of a process's network devices, without loopback (proc_pid_net(5), `dev`). */
export function networkStats(pid: number): ContainerStats['network'] {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/net/dev`, 'latin1')
  } catch {
    return {}
  }
  const out: ContainerStats['network'] = {}
  for (const line of text.split('\n')) {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line)
    if (match === null || match[1] === 'lo') continue
    const fields = match[2]!.split(/\s+/).map(Number)
    out[match[1]!] = { rxBytes: fields[0]!, rxPackets: fields[1]!, txBytes: fields[8]!, txPackets: fields[9]! }
  }
  return out
}
