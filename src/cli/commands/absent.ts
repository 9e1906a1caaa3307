import type { Status } from '../flags/spec.js'

/** A command, or a group of commands, of docker that is not in the table of commands. */
export interface AbsentCommand {
  /** All spellings. A single word that is a group stands for everything below it. */
  names: readonly string[]
  status: Exclude<Status, 'works'>
  /** One clause: why. */
  reason: string
}

const missing = (reason: string, ...names: string[]): AbsentCommand => ({ names, status: 'missing', reason })
const refused = (reason: string, ...names: string[]): AbsentCommand => ({ names, status: 'refused', reason })

const builds = 'it is not built yet; see build'
const cluster = 'jubako runs containers on one machine'
const client = 'there is no daemon to choose'

/** Docker's other commands: said by name instead of "unknown command". */
export const absentCommands: readonly AbsentCommand[] = [
  missing(builds, 'bake', 'buildx', 'buildx bake'),
  refused('there is no daemon to dial: connect to the socket of jubako serve', 'system dial-stdio'),
  refused(cluster, 'volume update'),
  missing('checkpoints are not built yet', 'checkpoint'),
  missing('it is not built yet', 'compose'),
  refused(client, 'context'),
  refused(cluster, 'swarm'),
  refused(cluster, 'node'),
  refused(cluster, 'service'),
  refused(cluster, 'stack'),
  refused(cluster, 'secret'),
  refused(cluster, 'config'),
  refused('extensions are JavaScript programs that use the library', 'plugin'),
  refused('Docker Content Trust was retired', 'trust'),
]

/** The entry for the first words of a command line, the longest spelling first. */
export function findAbsent(args: readonly string[]): AbsentCommand | undefined {
  for (const length of [2, 1]) {
    const words = args.slice(0, length).join(' ')
    const found = absentCommands.find(({ names }) => names.includes(words))
    if (found !== undefined) return found
  }
  return undefined
}
