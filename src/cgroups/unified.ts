import { JubakoError } from '../errors/index.js'
import { cgroupError, errnoOf, keyed, processesBelow, read, removeTree, write } from './files.js'
import type { FreezerState } from './types.js'
import { freezeTimeout, killTimeout, removeTimeout, until } from './wait.js'

// What cgroup v2 does without any controller, and therefore also the unified hierarchy of a hybrid host
// (kernel documentation, cgroup-v2, "Core Interface Files").

/** SIGKILL to everything below `directory`, forks under way included; resolves when it is empty. */
export async function killUnified(directory: string): Promise<void> {
  try {
    write(`${directory}/cgroup.kill`, '1')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw cgroupError(error, `cannot kill the processes of ${directory}`, directory)
  }
  const events = `${directory}/cgroup.events`
  if (!(await until(() => !keyed(events).get('populated'), killTimeout))) throw stillThere(directory)
}

export const frozenWhenUnified = (directory: string): { path: string; text: string } => ({
  path: `${directory}/cgroup.events`,
  text: 'frozen 1',
})

export function freezerStateUnified(directory: string): FreezerState {
  if (keyed(`${directory}/cgroup.events`).get('frozen')) return 'frozen'
  return read(`${directory}/cgroup.freeze`) === '1' ? 'freezing' : 'thawed'
}

/** Freezes or thaws everything below `directory`; resolves when it holds for every process. */
export async function setFrozenUnified(directory: string, frozen: boolean): Promise<void> {
  const set = (value: boolean): void => writeOrExplain(`${directory}/cgroup.freeze`, value ? '1' : '0')
  set(frozen)
  const wanted = frozen ? 1 : 0
  const events = `${directory}/cgroup.events`
  if (await until(() => keyed(events).get('frozen') === wanted, freezeTimeout)) return
  if (frozen) set(false)
  throw notFrozen(directory)
}

/** A write whose failure names the file and the value. */
export function writeOrExplain(path: string, value: string): void {
  try {
    write(path, value)
  } catch (error) {
    throw cgroupError(error, `cannot write ${JSON.stringify(value)} to ${path}`, path)
  }
}

/** Removes each directory with what is below it. */
export async function removeAll(directories: readonly string[]): Promise<void> {
  let left: readonly string[] = directories
  const attempt = (): boolean => {
    left = left.filter((directory) => !removeTree(directory))
    return left.length === 0
  }
  if (!(await until(attempt, removeTimeout))) throw stillThere(left[0]!)
}

export const stillThere = (directory: string): JubakoError =>
  new JubakoError('ERR_JUBAKO_STATE', `processes are still in the cgroup ${directory}: ${processesBelow(directory)}`, {
    path: directory,
    hint: 'a process in an uninterruptible wait (state D, often a disk or network file system) cannot be killed until that ends',
  })

export const notFrozen = (directory: string): JubakoError =>
  new JubakoError('ERR_JUBAKO_STATE', `the processes of ${directory} could not be frozen`, {
    path: directory,
    hint: 'a process in an uninterruptible wait (state D) cannot be frozen until that ends; try again',
  })
