import type { BuildError, BuildOptions } from '../../engine/build-types.js'
import type { Engine } from '../../engine/engine.js'
import type { CommandContext } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { alignTabs } from '../format/tabs.js'

/** What can be asked of a Dockerfile instead of a build. */
export const CALLS = ['build', 'check', 'outline', 'targets'] as const
export type Call = Exclude<(typeof CALLS)[number], 'build'>

/** `--call`: answers from the Dockerfile alone, nothing is built. */
export async function answer(
  call: Call,
  json: boolean,
  options: BuildOptions,
  context: CommandContext,
): Promise<number> {
  const engine = await context.engine()
  let found: Awaited<ReturnType<Engine['build']['check']>>
  try {
    found = await engine.build.check(options)
  } catch (error) {
    return explainPlain(error as BuildError, context)
  }
  const { out } = context
  if (call === 'targets') {
    const { targetsOf } = await import('../../dockerfile/index.js')
    const targets = targetsOf(found.dockerfile)
    if (json) out.line(JSON.stringify({ targets }, undefined, 2))
    else {
      const shown = ({ name, isDefault }: (typeof targets)[number]) =>
        isDefault ? (name === '' ? '(default)' : `${name} (default)`) : name
      out.text(table([['TARGET', 'DESCRIPTION'], ...targets.map((one) => [shown(one), one.description])]))
    }
    return EXIT.ok
  }
  if (call === 'outline') {
    const outline = await engine.build.outline(options)
    out.text(json ? `${JSON.stringify(outline, undefined, 2)}\n` : printOutline(outline))
    return EXIT.ok
  }
  return check(found, json, context)
}

type Outline = Awaited<ReturnType<Engine['build']['outline']>>

function printOutline({ name, description, args, secrets, ssh }: Outline): string {
  const width = description === '' ? 8 : 13
  const needs = (list: Outline['ssh']) => list.map((one) => [one.name, one.required ? 'true' : ''])
  const parts = [
    name === '' && description === '' ? '' : `${'TARGET:'.padEnd(width)}${name === '' ? '(default)' : name}\n`,
    description === '' ? '' : `DESCRIPTION: ${description}\n`,
  ].filter((text) => text !== '')
  const tables = [
    [['BUILD ARG', 'VALUE', 'DESCRIPTION'], ...args.map((one) => [one.name, one.value, one.description])],
    [['SECRET', 'REQUIRED'], ...needs(secrets)],
    [['SSH', 'REQUIRED'], ...needs(ssh)],
  ].filter((rows) => rows.length > 1)
  return [...(parts.length > 0 ? [parts.join('')] : []), ...tables.map(table)].map((text) => `${text}\n`).join('')
}

const table = (rows: readonly (readonly string[])[]): string =>
  alignTabs(rows.map((row) => `${row.join('\t')}\n`).join(''), 0)

async function check(
  { warnings: list, dockerfile }: Awaited<ReturnType<Engine['build']['check']>>,
  json: boolean,
  context: CommandContext,
): Promise<number> {
  const code = list.length === 0 ? EXIT.ok : EXIT.failure
  if (json) {
    const warnings = list.map(({ rule, description, url, detail, location }) => ({
      ruleName: rule,
      description,
      url,
      detail,
      location: { ranges: [{ start: { line: location.line }, end: { line: location.endLine } }] },
    }))
    context.out.line(JSON.stringify({ warnings }, undefined, 2))
    return code
  }
  if (list.length === 0) {
    context.out.line('Check complete, no warnings found.')
    return code
  }
  const { excerpt } = await import('../../dockerfile/index.js')
  context.out.line(`Check complete, ${list.length} warning${list.length === 1 ? ' has' : 's have'} been found!\n`)
  for (const { rule, url, detail, location } of list) {
    context.out.line(`WARNING: ${rule} - ${url}\n${detail}\n${excerpt(dockerfile.source, location)}\n`)
  }
  return code
}

export function explainPlain(error: BuildError, { err }: CommandContext): number {
  if (error.excerpt !== undefined) err.line(error.excerpt)
  else if (!('code' in error)) throw error
  err.line(`ERROR: failed to build: failed to solve: ${error.message}`)
  if (error.hint !== undefined) err.line(`hint: ${error.hint}`)
  return EXIT.failure
}
