import { readdirSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import { type ContainerConfig, readJson } from '../runtime/index.js'
import { processStartTime } from './boot.js'
import type { EngineContext } from './context.js'
import type { ExecInfo } from './types.js'

/** What the first record of an exec says beside pid and time. */
export type ExecDetails = Pick<ExecInfo, 'command' | 'tty' | 'stdin' | 'user' | 'workdir' | 'privileged'>

interface StateRecord extends ExecDetails {
  pid: number
  startedAt: number
}

/** JSON members for the record that the exec's jubako-init writes. */
export const recordText = (details: ExecDetails): string => `,${JSON.stringify(details).slice(1, -1)}`

/** The processes that exec started in a container, from the records of its run; they go when it ends. */
export function execsOf(context: EngineContext, config: ContainerConfig): ExecInfo[] {
  const { execs } = context.store.places.of(config.id)
  let names: string[]
  try {
    names = readdirSync(execs)
  } catch {
    return []
  }
  const infos = names.flatMap((name) =>
    name.endsWith('.json') ? (infoOf(config.id, execs, name.slice(0, -5)) ?? []) : [],
  )
  return infos.sort((a, b) => a.startedAt - b.startedAt)
}

function infoOf(containerId: string, directory: string, id: string): ExecInfo | undefined {
  const state = readJson<StateRecord>(`${directory}/${id}.json`)
  if (state === undefined) return undefined
  const exit = readJson<{ exitCode: number }>(`${directory}/${id}.exit`)
  const { command, tty, stdin, user, workdir, privileged, startedAt } = state
  const details = { id, containerId, command, tty, stdin, user, workdir, privileged, startedAt }
  // Its jubako-init was killed before it could write how it ended; the command died with it.
  const lost = exit === undefined && processStartTime(state.pid) === null
  const running = exit === undefined && !lost
  return {
    ...details,
    running,
    exitCode: running ? null : (exit?.exitCode ?? 137),
    pid: running ? state.pid : 0,
  }
}

/**
 * By id or unique beginning of it, in whatever container.
 *
 * @throws JubakoError ERR_JUBAKO_NOT_FOUND
 */
export function findExec(context: EngineContext, id: string): ExecInfo {
  if (/^[0-9a-f]+$/.test(id)) {
    for (const containerId of context.store.ids()) {
      const { execs } = context.store.places.of(containerId)
      const exact = id.length === 64 ? infoOf(containerId, execs, id) : undefined
      if (exact !== undefined) return exact
      if (id.length === 64) continue
      let names: string[] = []
      try {
        names = readdirSync(execs)
      } catch {
        continue
      }
      const name = names.find((it) => it.startsWith(id) && it.endsWith('.json'))
      const found = name === undefined ? undefined : infoOf(containerId, execs, name.slice(0, -5))
      if (found !== undefined) return found
    }
  }
  throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such exec instance: ${id}`, { path: id })
}
