import { closeSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import { Clone, type ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { openNamespace } from './namespace.js'

const kinds = { network: 'net', pid: 'pid', ipc: 'ipc', uts: 'uts' } as const

export type JoinKind = keyof typeof kinds

export const joinFlags: Readonly<Record<JoinKind, number>> = {
  network: Clone.newNetwork,
  pid: Clone.newPid,
  ipc: Clone.newIpc,
  uts: Clone.newUts,
}

export interface Join {
  kind: JoinKind
  mode: string
  fd: number
}

/**
 * Opens the namespaces of other containers that a container shares (`container:<name or id>`).
 *
 * @throws JubakoError ERR_JUBAKO_STATE when the other one does not run
 */
export async function openJoins(context: EngineContext, config: ContainerConfig): Promise<Join[]> {
  const joins: Join[] = []
  try {
    for (const kind of Object.keys(kinds) as JoinKind[]) {
      const mode = config[kind]
      if (!mode.startsWith('container:')) continue
      const other = context.store.find(mode.slice('container:'.length))
      const fd = await openNamespace(context, other.id, kinds[kind])
      if (fd === undefined) {
        throw new JubakoError('ERR_JUBAKO_STATE', `cannot join ${kind} of a non running container: ${other.name}`, {
          hint: `start ${other.name} first`,
        })
      }
      joins.push({ kind, mode, fd })
    }
    return joins
  } catch (error) {
    for (const { fd } of joins) closeSync(fd)
    throw error
  }
}
