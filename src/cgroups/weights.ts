/**
 * cpu.shares (2 to 262144, default 1024) as cpu.weight (1 to 10000, default 100).
 *
 * The curve that opencontainers/cgroups uses since 0.0.3: it goes through both ends and both defaults, where the linear map
 * of before gave the default of 1024 shares a weight of 39.
 */
export function sharesToWeight(shares: number): number {
  if (shares <= 2) return 1
  if (shares >= 262144) return 10000
  const l = Math.log2(shares)
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34))
}

/** blkio weight (10 to 1000) as io.weight (1 to 10000), linear (OCI runtime specification, cgroup v2 conversion). */
export const blkioToIoWeight = (weight: number): number => 1 + Math.floor(((weight - 10) * 9999) / 990)
