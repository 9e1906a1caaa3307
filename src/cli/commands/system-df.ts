import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatList } from '../format/list.js'
import { usageRows, usageStyle } from '../format/usage.js'
import { formatVerboseUsage, verboseUsage } from '../format/usage-verbose.js'

export const command: Command = {
  spec: {
    name: 'system df',
    aliases: ['system df'],
    usage: '[OPTIONS]',
    summary: 'Show how much space images, containers, volumes and the build cache take',
    args: [0, 0],
    flags: [
      ['', 'format', 'string', "'table', 'table TEMPLATE', 'json' or a Go template"],
      ['v', 'verbose', 'bool', 'Show detailed information on space usage'],
    ],
    examples: ['jubako system df', 'jubako system df -v', "jubako system df --format '{{.Type}}: {{.Size}}'"],
  },
  async run(flags, context) {
    const format = flags.string('format')
    const engine = await context.engine()
    const [usage, cache] = [await engine.usage(), await engine.build.cache()]
    if (!flags.bool('verbose')) {
      context.out.text(formatList(usageStyle, usageRows(usage, cache), format))
      return EXIT.ok
    }
    const now = Date.now()
    const plain = format === undefined || format === '' || format === 'table'
    context.out.text(plain ? verboseUsage(usage, cache, now) : formatVerboseUsage(usage, cache, now, format))
    return EXIT.ok
  },
}
