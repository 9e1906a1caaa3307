import { infoDocument, versionDocument } from '../../engine/system-documents.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatObject } from '../format/json.js'
import { binarySize } from '../format/units.js'

export const command: Command = {
  spec: {
    name: 'info',
    aliases: ['system info', 'info'],
    usage: '[OPTIONS]',
    summary: 'Display system-wide information',
    args: [0, 0],
    flags: [['f', 'format', 'string', "'json' or a Go template"]],
    examples: ['jubako info', "jubako info -f '{{.Driver}} {{.CgroupVersion}}'"],
  },
  async run(flags, context) {
    const info = await (await context.engine()).info()
    const document = infoDocument(info)
    const { Version, Arch, Os, ApiVersion } = versionDocument()
    const ClientInfo = {
      Debug: false,
      Version,
      GitCommit: '',
      GoVersion: '',
      Os,
      Arch,
      BuildTime: '',
      Context: 'default',
      DefaultAPIVersion: ApiVersion,
      Plugins: [],
      Warnings: null,
    }
    const object = { ...document, RunRoot: info.runRoot, CgroupControllers: info.cgroupControllers, ClientInfo }
    const { total, running, paused, stopped } = info.containers
    const plugins = document.Plugins as Record<string, string[]>
    const text = () =>
      [
        'Client:',
        ` Version:    ${Version}`,
        ' Context:    default',
        ' Debug Mode: false',
        '',
        'Server:',
        ` Containers: ${total}`,
        `  Running: ${running}`,
        `  Paused: ${paused}`,
        `  Stopped: ${stopped}`,
        ` Images: ${info.images}`,
        ` Server Version: ${info.version}`,
        ` Storage Driver: ${document.Driver}`,
        ` Logging Driver: ${document.LoggingDriver}`,
        ' Cgroup Driver: cgroupfs',
        ` Cgroup Version: ${info.cgroupVersion}`,
        ` Cgroup Controllers: ${info.cgroupControllers.join(' ')}`,
        ' Plugins:',
        `  Volume: ${plugins.Volume!.join(' ')}`,
        `  Network: ${plugins.Network!.join(' ')}`,
        `  Log: ${plugins.Log!.join(' ')}`,
        ' Swarm: inactive',
        ` Runtimes: ${Object.keys(document.Runtimes as object).join(' ')}`,
        ` Default Runtime: ${document.DefaultRuntime}`,
        ` Init Binary: ${document.InitBinary}`,
        ' Security Options:',
        ...(document.SecurityOptions as string[]).flatMap(securityLines),
        ` Kernel Version: ${info.kernelVersion}`,
        ` Operating System: ${info.operatingSystem}`,
        ' OSType: linux',
        ` Architecture: ${info.architecture}`,
        ` CPUs: ${info.cpus}`,
        ` Total Memory: ${binarySize(info.memory)}`,
        ` Name: ${document.Name}`,
        ` ID: ${document.ID}`,
        ` Docker Root Dir: ${info.root}`,
        ` Run Root Dir: ${info.runRoot}`,
        ' Debug Mode: false',
        ' Experimental: false',
        ` Live Restore Enabled: ${document.LiveRestoreEnabled}`,
        '',
      ].join('\n')
    context.out.text(formatObject(object, flags.string('format'), text))
    if (flags.string('format') === undefined)
      for (const warning of info.warnings) context.err.line(`WARNING: ${warning}`)
    return EXIT.ok
  },
}

/** `name=seccomp,profile=builtin` as docker shows it. */
function securityLines(option: string): string[] {
  const [name, ...more] = option.split(',').map((part) => part.slice(part.indexOf('=') + 1))
  return [`  ${name}`, ...more.map((profile) => `   Profile: ${profile}`)]
}
