import { readdirSync, rmdirSync } from 'node:fs'
import { DockerfileError, type InstructionOf } from '../../dockerfile/index.js'
import { keyOf, type StageState } from '../state.js'
import { TreeSession } from '../tree/session.js'
import { append, cached, commit, draft, pathsOf, type Work } from '../work.js'

/** WORKDIR: the directory is made when it is missing, and belongs to USER then. */
export async function workdirStep(
  instruction: InstructionOf<'workdir'>,
  path: string,
  state: StageState,
  noCache: boolean,
  work: Work,
): Promise<{ cached: boolean }> {
  state.config.WorkingDir = path
  const owner = state.config.User ?? ''
  const key = keyOf('workdir', state.key, path, ...(owner === '' ? [] : [owner]))
  const createdBy = `WORKDIR ${path}`
  const found = noCache ? undefined : await cached(work, key, state)
  if (found !== undefined) {
    append(state, found, found.layer === undefined ? state.key : key, createdBy, work)
    return { cached: true }
  }
  const made = draft(work, 'workdir')
  const session = new TreeSession([], { layers: pathsOf(work, state), upper: made.upper, work: made.work })
  try {
    await session.act({ act: 'mkdir', target: path, owner })
  } catch (error) {
    throw new DockerfileError(`WORKDIR: ${(error as Error).message}`, instruction.location, { cause: error })
  } finally {
    await session.close()
  }
  const empty = readdirSync(made.upper).length === 0
  if (empty) rmdirSync(made.upper)
  const done = await commit(work, empty ? { upper: '', work: '' } : made, [key], 'workdir', createdBy)
  append(state, done, empty ? state.key : key, createdBy, work)
  return { cached: false }
}
