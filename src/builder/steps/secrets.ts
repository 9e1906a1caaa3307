import { DockerfileError } from '../../dockerfile/index.js'
import { TreeSession } from '../tree/session.js'
import type { Work } from '../work.js'
import type { Run } from './mounts.js'

/** Shorter values are found by chance. */
const SHORTEST_SECRET = 12

/** @throws DockerfileError when a step wrote one of its secrets to a file that would be part of the image */
export async function refuseSecrets(
  upper: string,
  ids: readonly string[],
  { location }: Run,
  work: Work,
): Promise<void> {
  if (work.allowSecretsInLayers) return
  const values = [...new Set(ids)].map((id) => [id, trimmed(work.secrets[id]!)] as const)
  const searched = values.filter(([, value]) => value.length >= SHORTEST_SECRET)
  if (searched.length === 0) return
  const session = new TreeSession([], { layers: [], upper, work: '' })
  try {
    for (const [id, value] of searched) {
      const path = await session.search(value)
      if (path === undefined) continue
      throw new DockerfileError(
        `the value of secret ${id} would be in the image: the step wrote it to ${path}`,
        location,
        {
          hint: 'remove the file in the same RUN, or allow it with --allow secrets.in-layers',
        },
      )
    }
  } finally {
    await session.close()
  }
}

/** Without the line's end that editors and echo add. */
const trimmed = (value: Buffer): Buffer => {
  const end = value.at(-1) === 0x0a ? (value.at(-2) === 0x0d ? 2 : 1) : 0
  return value.subarray(0, value.length - end)
}
