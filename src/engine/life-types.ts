/** What happens when a container ends by itself. */
export interface RestartPolicy {
  policy: 'no' | 'on-failure' | 'always' | 'unless-stopped'
  /** `on-failure` only: most restarts. Default 0: no end. */
  maxRetries?: number
}

/** A command that tells whether a container is well. Times in milliseconds; what is unset is the image's. */
export interface HealthOptions {
  /** `['CMD', ...argv]`, `['CMD-SHELL', line]` or `['NONE']`. */
  test?: string[]
  /** Between two checks. Default 30,000. */
  interval?: number
  /** Longest time of one check. Default 30,000. */
  timeout?: number
  /** Failures in this time after the start do not count. Default 0. */
  startPeriod?: number
  /** Between two checks in that time. Default 5,000. */
  startInterval?: number
  /** Failures in a row that mean unhealthy. Default 3. */
  retries?: number
  /** What is done then. Default `none`. */
  onFailure?: 'none' | 'kill' | 'restart' | 'stop'
}

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy'

/** Results of a container's health checks. */
export interface Health {
  status: HealthStatus
  failingStreak: number
  /** The last five, oldest first. Times in milliseconds since the epoch; -1 is the exit code of a check that had none. */
  log: { start: number; end: number; exitCode: number; output: string }[]
}

/** What of a container is changed. What is unset stays. */
export interface UpdateOptions {
  /** Bytes. */
  memory?: number
  memorySwap?: number
  memoryReservation?: number
  cpus?: number
  cpuPeriod?: number
  cpuQuota?: number
  cpuShares?: number
  cpusetCpus?: string
  cpusetMems?: string
  pidsLimit?: number
  blkioWeight?: number
  restart?: RestartPolicy
}
