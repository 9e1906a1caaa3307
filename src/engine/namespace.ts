import { closeSync, openSync } from 'node:fs'
import { request, requests } from '../runtime/index.js'
import type { EngineContext } from './context.js'

/**
 * A namespace of a running container's first process, opened by its pid. Whether the pid was the container's is asked
 * afterwards: a process that its supervisor has not reaped yet has not lost its number to another.
 *
 * @returns a descriptor; undefined when the container does not run, or ended or was restarted meanwhile
 */
export async function openNamespace(
  context: EngineContext,
  id: string,
  kind: 'mnt' | 'net' | 'pid' | 'ipc' | 'uts',
): Promise<number | undefined> {
  const { store } = context
  if (!store.isRunning(id)) return undefined
  const pid = store.runRecord(id)?.pid
  if (pid === undefined) return undefined
  let fd: number
  try {
    fd = openSync(`/proc/${pid}/ns/${kind}`, 'r')
  } catch {
    return undefined
  }
  const alive = (await request(store.places.of(id).socket, requests.kill(0))) === 0
  // Between two lives nobody is there to be asked, but there is the record of the end.
  if (alive && store.exitRecord(id) === undefined && store.runRecord(id)?.pid === pid) return fd
  closeSync(fd)
  return undefined
}
