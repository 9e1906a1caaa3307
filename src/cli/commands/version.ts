import { versionDocument } from '../../engine/system-documents.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatObject } from '../format/json.js'

const section = (title: string, indent: string, rows: readonly (readonly [string, unknown])[]): string =>
  `${title}:\n${rows.map(([name, value]) => `${indent} ${`${name}:`.padEnd(18)} ${value}\n`).join('')}`

export const command: Command = {
  spec: {
    name: 'version',
    aliases: ['version'],
    usage: '[OPTIONS]',
    summary: 'Show the version information',
    args: [0, 0],
    flags: [['f', 'format', 'string', "'json' or a Go template"]],
  },
  async run(flags, context) {
    const Server = versionDocument()
    const { Version, ApiVersion, MinAPIVersion, Os, Arch, KernelVersion } = Server
    const NodeVersion = process.version
    // There is one program: the command line is the engine.
    const Client = {
      Version,
      ApiVersion,
      DefaultAPIVersion: ApiVersion,
      GitCommit: '',
      GoVersion: '',
      NodeVersion,
      Os,
      Arch,
      BuildTime: '',
      Context: 'default',
    }
    const shared = [
      ['Version', Version],
      ['API version', ApiVersion],
      ['Node version', NodeVersion],
      ['OS/Arch', `${Os}/${Arch}`],
    ] as const
    const text = () =>
      `${section('Client', '', [...shared, ['Context', 'default']])}\nServer: jubako\n${section(' Engine', ' ', [
        ['Version', Version],
        ['API version', `${ApiVersion} (minimum version ${MinAPIVersion})`],
        ['Node version', NodeVersion],
        ['Kernel version', KernelVersion],
        ['OS/Arch', `${Os}/${Arch}`],
      ])}`
    context.out.text(formatObject({ Client, Server: { ...Server, NodeVersion } }, flags.string('format'), text))
    return EXIT.ok
  },
}
