import type { Engine } from '../../engine/engine.js'
import { type CommandContext, errorText } from '../command.js'
import { compileObject, renderObject } from '../format/json.js'
import { withGoTypes } from '../template/index.js'

/** Looks one name up; throws when there is no such object. */
export type Inspector = (name: string) => Promise<Record<string, unknown>>

/** A container's details, with the bytes it takes when `size` is asked. */
export async function inspectContainer(engine: Engine, name: string, size: boolean): Promise<Record<string, unknown>> {
  const container = await engine.container(name)
  if (!size) return container.inspect()
  const { written, total } = await engine.containerSize(container.id)
  return { ...(await container.inspect()), SizeRw: written, SizeRootFs: total }
}

/** Docker's `inspect` output: a JSON array, a line of JSON, or a template per object; missing ones are named after. */
export async function inspectAll(
  names: readonly string[],
  format: string | undefined,
  inspect: Inspector,
  context: Pick<CommandContext, 'out' | 'err'>,
): Promise<number> {
  const render = format === undefined || format === '' || format === 'json' ? undefined : compileObject(format)
  const found: Record<string, unknown>[] = []
  const problems: string[] = []
  for (const name of names) {
    try {
      found.push(await inspect(name))
    } catch (error) {
      problems.push(errorText(error))
    }
  }
  if (render !== undefined) for (const it of found) context.out.line(renderObject(render, withGoTypes(it)))
  else if (format === 'json') for (const it of found) context.out.line(JSON.stringify(it))
  else context.out.line(JSON.stringify(found, null, 4))
  for (const problem of problems) context.err.line(problem)
  return problems.length > 0 ? 1 : 0
}
