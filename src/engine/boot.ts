import { readFileSync } from 'node:fs'

let id: string | undefined

/** Changes with every boot (proc_sys_kernel(5), random/boot_id). */
export function bootId(): string {
  id ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return id
}

let ownStartTime: string | undefined

/** {@link processStartTime} of this process. */
export function thisStartTime(): string {
  ownStartTime ??= processStartTime(process.pid) ?? ''
  return ownStartTime
}

/** Tells a process from a later one with the same pid: field 22 of /proc/<pid>/stat; null when there is none. */
export function processStartTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}
