import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { invalidArgument, JubakoError } from '../../errors/index.js'
import { addon } from '../../native/addon.js'
import { errnoName } from '../../native/failure.js'
import { count, processesBelow, read } from '../files.js'
import type { V1Controller } from '../mounts.js'
import type { Cgroup, CgroupStats, CgroupWrite, CheckedResources, FreezerState, Resources } from '../types.js'
import {
  freezerStateUnified,
  frozenWhenUnified,
  killUnified,
  notFrozen,
  removeAll,
  setFrozenUnified,
  stillThere,
  writeOrExplain,
} from '../unified.js'
import { freezeTimeout, killTimeout, until } from '../wait.js'
import { limitWrites } from './limits.js'
import { oomKills, readStats } from './stats.js'

export interface V1Parts {
  /** The container's directory of each controller in use. */
  controllers: ReadonlyMap<string, string>
  unified: string | null
  check(resources: Resources): CheckedResources
  hasFile(controller: V1Controller, file: string): boolean
}

/** A container's directories in the v1 hierarchies. */
export class V1Cgroup implements Cgroup {
  readonly join: readonly string[]
  readonly into: string | null
  readonly #directories: readonly string[]

  constructor(
    readonly id: string,
    private readonly parts: V1Parts,
  ) {
    const own = [...new Set(parts.controllers.values())]
    this.into = parts.unified
    this.join = own.map((directory) => `${directory}/tasks`)
    this.#directories = parts.unified === null ? own : [...own, parts.unified]
  }

  get frozenWhen(): Cgroup['frozenWhen'] {
    if (this.parts.unified !== null) return frozenWhenUnified(this.parts.unified)
    const directory = this.parts.controllers.get('freezer')
    return directory === undefined ? null : { path: `${directory}/freezer.state`, text: 'FROZEN' }
  }

  exists(): boolean {
    return this.#directories.some((directory) => existsSync(directory))
  }

  processes(): number[] {
    return processesBelow(this.#process)
  }

  stats(): CgroupStats {
    return readStats((controller) => this.parts.controllers.get(controller))
  }

  oomKills(): number {
    const memory = this.parts.controllers.get('memory')
    return memory === undefined ? 0 : oomKills(memory)
  }

  state(): FreezerState {
    if (this.parts.unified !== null) return freezerStateUnified(this.parts.unified)
    const state = this.#freezerState === null ? null : read(this.#freezerState)
    return state === 'FROZEN' ? 'frozen' : state === 'FREEZING' ? 'freezing' : 'thawed'
  }

  async freeze(): Promise<void> {
    if (this.parts.unified !== null) return setFrozenUnified(this.parts.unified, true)
    const file = this.#needFreezer()
    let attempts = 0
    const attempt = (): boolean => {
      // A task that forks or is traced while it is frozen can leave the state at FREEZING for ever; thawing for a moment
      // lets it go on to a place where it can be frozen.
      if (++attempts % 8 === 0) writeOrExplain(file, 'THAWED')
      writeOrExplain(file, 'FROZEN')
      return this.state() === 'frozen'
    }
    if (await until(attempt, freezeTimeout)) return
    writeOrExplain(file, 'THAWED')
    throw notFrozen(file)
  }

  async thaw(): Promise<void> {
    if (this.parts.unified !== null) return setFrozenUnified(this.parts.unified, false)
    const file = this.#needFreezer()
    writeOrExplain(file, 'THAWED')
    if (!(await until(() => this.state() === 'thawed', freezeTimeout))) throw notFrozen(file)
  }

  async kill(): Promise<void> {
    if (this.parts.unified !== null) return killUnified(this.parts.unified)
    // Frozen, nothing forks while the pids are read, and no pid can be given to somebody else.
    const file = this.#freezerState
    const attempt = (): boolean => {
      if (this.processes().length === 0) return true
      if (file !== null) writeOrExplain(file, 'FROZEN')
      for (const pid of this.processes()) kill(pid)
      if (file !== null) writeOrExplain(file, 'THAWED')
      return this.processes().length === 0
    }
    if (!(await until(attempt, killTimeout))) throw stillThere(this.#process)
  }

  update(resources: Resources): string[] {
    const { resources: r, warnings } = this.parts.check(resources)
    const writes = limitWrites(r, (controller) => this.parts.controllers.get(controller)!, this.parts.hasFile)
    for (const { path, value } of this.#inOrder(r, writes)) writeOrExplain(path, value)
    return warnings
  }

  async remove(): Promise<void> {
    await removeAll(this.#directories)
  }

  /** The kernel keeps memory below memory+swap at every moment: when both rise, the sum goes first. */
  #inOrder(r: Resources, writes: CgroupWrite[]): CgroupWrite[] {
    const memory = this.parts.controllers.get('memory')
    if (memory === undefined || (r.memory === undefined && r.memorySwap === undefined)) return writes
    const sum = count(`${memory}/memory.memsw.limit_in_bytes`)
    if (r.memory !== undefined && r.memorySwap === undefined && sum > 0 && r.memory > sum)
      throw invalidArgument(
        'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
      )
    const rises = r.memorySwap !== undefined && (r.memorySwap === -1 || r.memorySwap > sum)
    if (!rises) return writes
    const isSum = ({ path }: CgroupWrite): boolean => path.endsWith('/memory.memsw.limit_in_bytes')
    return [...writes.filter(isSum), ...writes.filter((write) => !isSum(write))]
  }

  /** Every process is in all hierarchies; the one that cannot be left out tells. */
  get #process(): string {
    return this.parts.unified ?? this.parts.controllers.get('freezer') ?? this.#directories[0]!
  }

  get #freezerState(): string | null {
    const directory = this.parts.controllers.get('freezer')
    return directory === undefined || !existsSync(directory) ? null : `${directory}/freezer.state`
  }

  #needFreezer(): string {
    const file = this.#freezerState
    if (file === null)
      throw invalidArgument('the freezer cgroup is not mounted', {
        hint: 'mount it: mkdir -p /sys/fs/cgroup/freezer && mount -t cgroup -o freezer cgroup /sys/fs/cgroup/freezer',
      })
    return file
  }
}

function kill(pid: number): void {
  const errno = addon().killFrozen(pid)
  if (errno === 0 || errno === constants.errno.ESRCH) return
  throw new JubakoError('ERR_JUBAKO_SYSTEM', `cannot kill process ${pid}`, {
    errno,
    errnoName: errnoName(errno),
    syscall: 'kill',
  })
}
