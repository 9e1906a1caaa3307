import type { Scratch, StepCache } from '../cache/records.js'
import type { BuildOptions } from '../options.js'
import { keyOf, type StageState } from '../state.js'
import type { BuildEvent, BuilderParts } from '../types.js'
import type { Work } from '../work.js'
import { exportSteps } from './export.js'
import { ForeignSteps } from './import.js'

/** Tells a part of a build that is no instruction. */
async function told(
  name: string,
  parts: BuilderParts,
  emit: (event: BuildEvent) => void,
  act: () => Promise<void>,
): Promise<void> {
  const step = keyOf('vertex', name).slice(0, 32)
  emit({ type: 'start', step, name, time: parts.now() })
  try {
    await act()
    emit({ type: 'end', step, time: parts.now() })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    emit({ type: 'end', step, time: parts.now(), error: message })
    throw error
  }
}

/** Begins to read what others have built; undefined when nobody was named. */
export function importCaches(
  { cacheFrom = [], noCache = false }: BuildOptions,
  parts: BuilderParts,
  cache: StepCache,
  scratch: Scratch,
  signal: AbortSignal,
  emit: (event: BuildEvent) => void,
): Promise<ForeignSteps> | undefined {
  if (cacheFrom.length === 0 || noCache) return undefined
  const foreign = new ForeignSteps(parts, cache, scratch)
  const read = cacheFrom.map(async (source) => {
    const name = 'ref' in source ? source.ref : source.src
    // A cache that is not there makes a build slower, not impossible.
    await told(`importing cache manifest from ${name}`, parts, emit, () =>
      foreign.read(parts.cachePlace(source), signal),
    ).catch(() => {})
  })
  return Promise.all(read).then(() => foreign)
}

/** Puts what the build made or used where the options say. */
export async function exportCaches(state: StageState, { cacheTo = [] }: BuildOptions, work: Work): Promise<void> {
  const { parts, cache, scratch, signal } = work
  for (const target of cacheTo) {
    // It is in the image.
    if (target.type === 'inline') continue
    await Promise.all(work.hashing.values())
    const wanted = new Set(state.layers.flatMap((layer) => (layer.kind === 'step' ? [layer.record.layer] : [])))
    const records = [...work.used.values()]
      .filter(({ layer }) => target.mode === 'max' || layer === '' || wanted.has(layer))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
    const name = `exporting cache to ${target.type === 'local' ? 'client directory' : target.type}`
    const done = told(name, parts, work.emit, () =>
      exportSteps(parts.cachePlace(target), target, records, { cache, scratch, pack: parts.pack }, signal),
    )
    await (target.ignoreError && !signal.aborted ? done.catch(() => {}) : done)
  }
}
