import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { humanSize } from '../format/units.js'

const HOUR = 3600

/** How long ago, as BuildKit shows it. */
function ago(time: number): string {
  const seconds = Math.max(Math.round((Date.now() - time) / 1000), 0)
  if (seconds < 60) return `${seconds} seconds ago`
  if (seconds < HOUR) return `${Math.round(seconds / 60)} minutes ago`
  return seconds < 48 * HOUR ? `${Math.round(seconds / HOUR)} hours ago` : `${Math.round(seconds / HOUR / 24)} days ago`
}

export const command: Command = {
  spec: {
    name: 'builder du',
    aliases: ['builder du'],
    usage: '[OPTIONS]',
    summary: 'Show what the build cache takes',
    args: [0, 0],
    flags: [
      ['', 'json', 'bool', 'Show JSON lines'],
      ['', 'verbose', 'bool', 'Show descriptions and places'],
    ],
  },
  async run(flags, context) {
    const { out } = context
    const entries = await (await context.engine()).build.cache()
    if (flags.bool('json')) {
      for (const entry of entries) out.line(JSON.stringify(entry))
      return EXIT.ok
    }
    if (flags.bool('verbose')) {
      for (const entry of entries) {
        out.line(
          `ID:\t\t${entry.id}\nCreated at:\t${new Date(entry.createdAt).toISOString()}\nReclaimable:\t${!entry.inUse}`,
        )
        out.line(`Shared:\t\t${entry.shared}\nSize:\t\t${humanSize(entry.size)}\nDescription:\t${entry.description}`)
        if (entry.path !== undefined) out.line(`Path:\t\t${entry.path}`)
        out.line(`Type:\t\t${entry.kind}\nLast used:\t${ago(entry.lastUsedAt)}\n`)
      }
    } else {
      const rows = entries.map((entry) => [
        entry.id + (entry.shared ? '*' : ''),
        String(!entry.inUse),
        humanSize(entry.size),
        ago(entry.lastUsedAt),
      ])
      const all = [['ID', 'RECLAIMABLE', 'SIZE', 'LAST ACCESSED'], ...rows]
      const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]!.length)))
      for (const row of all) out.line(row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]!) : cell)).join('   '))
    }
    const shared = entries.filter((entry) => entry.shared).reduce((sum, { size }) => sum + size, 0)
    const own = entries.filter((entry) => !entry.shared).reduce((sum, { size }) => sum + size, 0)
    if (shared > 0) out.line(`Shared:\t\t${humanSize(shared)}\nPrivate:\t${humanSize(own)}`)
    out.line(`Reclaimable:\t${humanSize(own + shared)}\nTotal:\t\t${humanSize(own + shared)}`)
    return EXIT.ok
  },
}
