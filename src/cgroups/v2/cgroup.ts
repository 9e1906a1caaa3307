import { existsSync } from 'node:fs'
import { invalidArgument } from '../../errors/index.js'
import { processesBelow, read } from '../files.js'
import type { Cgroup, CgroupStats, CheckedResources, FreezerState, Resources } from '../types.js'
import {
  freezerStateUnified,
  frozenWhenUnified,
  killUnified,
  removeAll,
  setFrozenUnified,
  writeOrExplain,
} from '../unified.js'
import { limitWrites } from './limits.js'
import { oomKills, readStats } from './stats.js'

export interface V2Parts {
  directory: string
  check(resources: Resources): CheckedResources
  /** Turns on what the limits need in the parent, where that was left out at the start. */
  enable(resources: Resources): void
}

/** A container's directory in the v2 hierarchy. */
export class V2Cgroup implements Cgroup {
  readonly join: readonly string[] = []
  readonly into: string

  constructor(
    readonly id: string,
    private readonly parts: V2Parts,
  ) {
    this.into = parts.directory
  }

  get frozenWhen(): Cgroup['frozenWhen'] {
    return frozenWhenUnified(this.parts.directory)
  }

  exists(): boolean {
    return existsSync(this.parts.directory)
  }

  processes(): number[] {
    return processesBelow(this.parts.directory)
  }

  stats(): CgroupStats {
    return readStats(this.parts.directory)
  }

  oomKills(): number {
    return oomKills(this.parts.directory)
  }

  state(): FreezerState {
    return freezerStateUnified(this.parts.directory)
  }

  freeze(): Promise<void> {
    return setFrozenUnified(this.parts.directory, true)
  }

  thaw(): Promise<void> {
    return setFrozenUnified(this.parts.directory, false)
  }

  kill(): Promise<void> {
    return killUnified(this.parts.directory)
  }

  update(resources: Resources): string[] {
    const { resources: r, warnings } = this.parts.check(resources)
    this.parts.enable(r)
    const hasFile = (file: string): boolean => existsSync(`${this.parts.directory}/${file}`)
    for (const { path, value } of limitWrites(this.#withSum(r), this.parts.directory, hasFile))
      writeOrExplain(path, value)
    return warnings
  }

  remove(): Promise<void> {
    return removeAll([this.parts.directory])
  }

  /** v2 limits swap alone, Docker memory and swap together: what is not given keeps its value. */
  #withSum(r: Resources): Resources {
    if (r.memory === undefined && r.memorySwap === undefined) return r
    const bytes = (file: string): number => Number(read(`${this.parts.directory}/${file}`) ?? Number.NaN)
    const memory = r.memory ?? bytes('memory.max')
    const sum = r.memorySwap ?? bytes('memory.max') + bytes('memory.swap.max')
    // `max` and a missing file are NaN: there is no sum to keep.
    if (Number.isNaN(memory) || Number.isNaN(sum)) return r
    if (sum !== -1 && sum < memory)
      throw invalidArgument(
        'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
      )
    return { ...r, memory, memorySwap: sum }
  }
}
