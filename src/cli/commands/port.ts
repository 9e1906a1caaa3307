import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'

interface Binding {
  HostIp: string
  HostPort: string
}

/** IPv6 addresses have brackets before a port. */
const address = ({ HostIp, HostPort }: Binding): string =>
  `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}`

export const command: Command = {
  spec: {
    name: 'port',
    aliases: ['container port', 'port'],
    usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
    summary: 'List port mappings or a specific mapping for the container',
    args: [1, 2],
    flags: [],
    examples: ['jubako port web', 'jubako port web 80/tcp'],
  },
  async run(flags, context) {
    const [name, wanted] = flags.args as [string, string?]
    const engine = await context.engine()
    const { NetworkSettings } = await (await engine.container(name)).inspect()
    const ports = ((NetworkSettings as { Ports?: Record<string, Binding[] | null> }).Ports ?? {}) as Record<
      string,
      Binding[] | null
    >
    if (wanted === undefined) {
      const lines = Object.entries(ports).flatMap(([port, bindings]) =>
        (bindings ?? []).map((binding) => `${port} -> ${address(binding)}`),
      )
      for (const line of lines.sort(naturally)) context.out.line(line)
      return EXIT.ok
    }
    const [number, protocol = 'tcp'] = wanted.split('/')
    if (!/^\d+$/.test(number!) || Number(number) > 65535) {
      throw new CodedError(`invalid port (${number}): must be a number up to 65535`, EXIT.failure)
    }
    const bindings = ports[`${Number(number)}/${protocol}`] ?? []
    if (bindings.length === 0) throw new CodedError(`No public port '${wanted}' published for ${name}`, EXIT.failure)
    for (const binding of bindings) context.out.line(address(binding))
    return EXIT.ok
  },
}

const naturally = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })
