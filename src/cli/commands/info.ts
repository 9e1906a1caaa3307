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
  },
  async run(flags, context) {
    const info = await (await context.engine()).info()
    const { total, running, paused, stopped } = info.containers
    const object = {
      Containers: total,
      ContainersRunning: running,
      ContainersPaused: paused,
      ContainersStopped: stopped,
      Images: info.images,
      Driver: 'overlay2',
      ServerVersion: info.version,
      CgroupDriver: 'cgroupfs',
      CgroupVersion: String(info.cgroupVersion),
      KernelVersion: info.kernelVersion,
      OperatingSystem: info.operatingSystem,
      OSType: 'linux',
      Architecture: info.architecture,
      NCPU: info.cpus,
      MemTotal: info.memory,
      DockerRootDir: info.root,
      RunRoot: info.runRoot,
      CgroupControllers: info.cgroupControllers,
      Warnings: info.warnings,
    }
    const text = () =>
      [
        `Containers: ${total}`,
        ` Running: ${running}`,
        ` Paused: ${paused}`,
        ` Stopped: ${stopped}`,
        `Images: ${info.images}`,
        `Server Version: ${info.version}`,
        'Storage Driver: overlay2',
        'Cgroup Driver: cgroupfs',
        `Cgroup Version: ${info.cgroupVersion}`,
        `Cgroup Controllers: ${info.cgroupControllers.join(' ')}`,
        'Security Options: seccomp',
        `Kernel Version: ${info.kernelVersion}`,
        `Operating System: ${info.operatingSystem}`,
        'OSType: linux',
        `Architecture: ${info.architecture}`,
        `CPUs: ${info.cpus}`,
        `Total Memory: ${binarySize(info.memory)}`,
        `Data Root: ${info.root}`,
        `Run Root: ${info.runRoot}`,
        '',
      ].join('\n')
    context.out.text(formatObject(object, flags.string('format'), text))
    if (flags.string('format') === undefined)
      for (const warning of info.warnings) context.err.line(`WARNING: ${warning}`)
    return EXIT.ok
  },
}
