import type { CommandSpec } from './flags/spec.js'

/** What stands before the command. */
export const globals: CommandSpec = {
  name: '',
  aliases: [],
  usage: '[OPTIONS] COMMAND',
  summary: 'A complete container engine for Linux that lives inside Node.js',
  args: [0, Number.POSITIVE_INFINITY],
  interspersed: false,
  flags: [
    ['D', 'debug', 'bool', 'Show where errors come from'],
    ['', 'root', 'string', 'Data root (JUBAKO_ROOT)', { default: '"/var/lib/jubako"' }],
    ['', 'run-root', 'string', 'Run root (JUBAKO_RUN_ROOT)', { default: '"/run/jubako"' }],
    ['', 'drop-blobs', 'bool', 'Do not keep the compressed form of unpacked layers'],
    ['v', 'version', 'bool', 'Show the version and end'],
  ],
}
