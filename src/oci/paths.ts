/** Paths of a container that show nothing (a file: `/dev/null`; a directory: empty and read-only). Docker's list. */
export const maskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]

/** Paths of a container that are mounted read-only. Docker's list. */
export const readonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
]

/** The directory that tells how hot one CPU was: a side channel, masked on every CPU that has it. */
export const thermalThrottlePath = (cpu: number): string => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`
