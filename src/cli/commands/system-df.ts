import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { formatList } from '../format/list.js'
import { usageRows, usageStyle, verboseUsage } from '../format/usage.js'

export const command: Command = {
  spec: {
    name: 'system df',
    aliases: ['system df'],
    usage: '[OPTIONS]',
    summary: 'Show how much space images, containers and the build cache take',
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
    if (format !== undefined && format !== '') {
      throw new CodedError('the verbose listing has no format: leave --format or --verbose out', EXIT.failure)
    }
    context.out.text(verboseUsage(usage, cache, Date.now()))
    return EXIT.ok
  },
}
