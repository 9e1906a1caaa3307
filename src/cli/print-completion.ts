import type { Engine } from '../engine/engine.js'
import { commands } from './commands/table.js'
import { complete } from './complete.js'
import type { Output } from './io/output.js'

/** The value of a global flag among typed words. */
function globalValue(flag: string, words: readonly string[]): string | undefined {
  const at = words.indexOf(flag)
  const joined = words.find((word) => word.startsWith(`${flag}=`))
  return at >= 0 ? words[at + 1] : joined?.slice(flag.length + 1)
}

/** What the shells' scripts ask for: a line for each word that may follow, with a tab before what it is. */
export async function printCompletion(words: readonly string[], out: Output): Promise<void> {
  const root = globalValue('--root', words) ?? process.env.JUBAKO_ROOT
  const runRoot = globalValue('--run-root', words) ?? process.env.JUBAKO_RUN_ROOT
  let opened: Promise<Engine> | undefined
  const engine = () => {
    opened ??= import('../engine/engine.js').then(({ Engine }) =>
      Engine.open({ ...(root && { root }), ...(runRoot && { runRoot }) }),
    )
    return opened
  }
  try {
    const found = await complete(words, commands, engine)
    for (const [word, about] of found.words) out.line(about === '' ? word : `${word}\t${about}`)
    if (found.files) out.line(':files')
  } finally {
    await opened?.then((it) => it.close())
  }
}
