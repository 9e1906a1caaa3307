/** The rules of one store as `iptables-restore` reads them: chains of our own, and one jump to each. */

import { type Family, formatAddress, formatSubnet } from './address.js'
import { bridgeOptions, type NetworkConfig, optionFlag } from './config.js'
import { readPool } from './ipam.js'
import type { PublishedPort } from './ruleset.js'

/** A chain of ours, and from where packets come to it. */
interface Chain {
  table: 'filter' | 'nat' | 'raw'
  name: string
  jumps: string[]
}

const local = '-m addrtype --dst-type LOCAL'

/** By purpose. `forward` must come before the host's own rules, as docker's does. */
export function chainsOf(prefix: string, family: Family): Record<'raw' | 'ports' | 'leave' | 'forward', Chain> {
  const name = (purpose: string) => `${prefix}-${purpose}`
  return {
    raw: {
      table: 'raw',
      name: name('raw'),
      jumps: family === 4 ? [`-I PREROUTING -d 127.0.0.0/8 -j ${name('raw')}`] : [],
    },
    ports: {
      table: 'nat',
      name: name('ports'),
      jumps: ['PREROUTING', 'OUTPUT'].map((chain) => `-A ${chain} ${local} -j ${name('ports')}`),
    },
    leave: { table: 'nat', name: name('leave'), jumps: [`-A POSTROUTING -j ${name('leave')}`] },
    forward: { table: 'filter', name: name('forward'), jumps: [`-I FORWARD -j ${name('forward')}`] },
  }
}

function subnetsOf(network: NetworkConfig, family: Family): string[] {
  return network.pools
    .map((pool) => readPool(pool).subnet)
    .filter((subnet) => subnet.family === family)
    .map(formatSubnet)
}

const conntrack = (state: string) => `-m conntrack --ctstate ${state}`

function forwardRules(networks: readonly NetworkConfig[], guard: boolean): string[] {
  const each = (rules: (network: NetworkConfig) => string[]) => networks.flatMap(rules)
  return [
    ...each(({ bridge }) =>
      ['-i', '-o'].map((way) => `${way} ${bridge} ${conntrack('RELATED,ESTABLISHED')} -j ACCEPT`),
    ),
    ...each((network) =>
      optionFlag(network, bridgeOptions.icc, true) ? [`-i ${network.bridge} -o ${network.bridge} -j ACCEPT`] : [],
    ),
    ...each(({ bridge, internal }) => (internal ? [`-i ${bridge} -j DROP`, `-o ${bridge} -j DROP`] : [])),
    ...each(({ bridge }) => [`-o ${bridge} ${conntrack('DNAT')} -j ACCEPT`]),
    ...each(({ bridge }) => [`-o ${bridge} -j DROP`]),
    ...each(({ bridge }) => [`-i ${bridge} -j ACCEPT`]),
    ...(guard ? ['-j DROP'] : []),
  ]
}

function leaveRules(networks: readonly NetworkConfig[], family: Family): string[] {
  return networks.flatMap((network) => {
    const { bridge, internal } = network
    const masquerade = !internal && optionFlag(network, bridgeOptions.masquerade, true)
    return [
      ...(family === 4 ? [`-s 127.0.0.0/8 -o ${bridge} -j MASQUERADE`] : []),
      ...subnetsOf(network, family).flatMap((subnet) => [
        // A container that asks for a published port of its own network: the answer must come back this way.
        `-s ${subnet} -o ${bridge} ${conntrack('DNAT')} -j MASQUERADE`,
        ...(masquerade ? [`-s ${subnet} ! -o ${bridge} -j MASQUERADE`] : []),
      ]),
    ]
  })
}

const protocols: Record<number, string> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }

function addressText(bytes: Buffer): string {
  return formatAddress({ family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${bytes.toString('hex')}`) })
}

/** A rule in three parts: the middle is the number on the host, `null` as long as only the supervisor knows it. */
function portRule(port: PublishedPort): [before: string, number: number | { reservation: number }, after: string] {
  const protocol = protocols[port.protocol]!
  const host = port.hostAddress === null ? '' : `-d ${addressText(port.hostAddress)} `
  const address = addressText(port.address)
  const target = port.family === 4 ? address : `[${address}]`
  return [
    `${host}-p ${protocol} -m ${protocol} --dport `,
    port.hostPort,
    ` -j DNAT --to-destination ${target}:${port.port}`,
  ]
}

/** What `iptables-restore` gets, and where a supervisor writes the numbers that it chose. */
export interface Restore {
  text: Buffer
  /** Offset, kind and reservation, each 32 bits wide. */
  patches: Buffer
}

const PLACE = '     '
const KIND = { port: 2, resolver: 3 } as const

/** @param parts of each line the text, and between two texts a number that is known or not */
function restore(table: string, lines: readonly (string | number | { reservation: number } | 'resolver')[][]): Restore {
  let text = `*${table}\n`
  const patches: number[] = []
  for (const line of lines) {
    for (const part of line) {
      if (typeof part === 'object') {
        patches.push(text.length, KIND.port, part.reservation)
        text += PLACE
      } else if (part === 'resolver') {
        patches.push(text.length, KIND.resolver, 0)
        text += PLACE
      } else {
        text += part
      }
    }
    text += '\n'
  }
  const bytes = Buffer.alloc(patches.length * 4)
  for (const [at, word] of patches.entries()) bytes.writeUInt32LE(word, at * 4)
  return { text: Buffer.from(`${text}COMMIT\n`), patches: bytes }
}

/** @param act `-A` adds, `-D` removes */
export function portsText(prefix: string, family: Family, act: '-A' | '-D', ports: readonly PublishedPort[]): Restore {
  const { ports: chain } = chainsOf(prefix, family)
  return restore(
    chain.table,
    ports.map((port) => [`${act} ${chain.name} `, ...portRule(port)]),
  )
}

/** In the container: port 53 of 127.0.0.11 is wherever its name service could bind. */
export function resolverText(): Restore {
  const chain = 'jubako-names'
  return restore('nat', [
    [`:${chain} - [0:0]`],
    ...['tcp', 'udp'].map((protocol) => [
      `-A ${chain} -d 127.0.0.11 -p ${protocol} -m ${protocol} --dport 53 -j DNAT --to-destination 127.0.0.11:`,
      'resolver' as const,
    ]),
    // A container that gets another network has it already; twice does no harm.
    [`-A OUTPUT -d 127.0.0.11 -j ${chain}`],
  ])
}

/**
 * All chains with their rules. Published ports stay where they are; the jumps are made that are not there.
 *
 * @param saved what `iptables-save` says
 */
export function buildText(
  prefix: string,
  family: Family,
  networks: readonly NetworkConfig[],
  ports: readonly PublishedPort[],
  guard: boolean,
  saved: string,
): string {
  const chains = chainsOf(prefix, family)
  const bridges = networks.filter((network) => subnetsOf(network, family).length > 0)
  const rules = {
    raw: family === 4 ? bridges.map(({ bridge }) => `-i ${bridge} -j DROP`) : [],
    leave: leaveRules(bridges, family),
    forward: forwardRules(bridges, guard),
  }
  const has = sections(saved)
  let text = ''
  for (const table of ['raw', 'nat', 'filter'] as const) {
    const lines: string[] = []
    for (const [purpose, chain] of Object.entries(chains)) {
      if (chain.table !== table) continue
      const there = has(table, `:${chain.name} `)
      if (purpose !== 'ports' || !there) lines.push(`:${chain.name} - [0:0]`)
      if (purpose === 'ports' && !there) {
        for (const port of ports.filter((one) => one.family === family))
          lines.push(`-A ${chain.name} ${portRule(port).join('')}`)
      }
      if (purpose !== 'ports')
        lines.push(...rules[purpose as keyof typeof rules].map((rule) => `-A ${chain.name} ${rule}`))
      lines.push(...chain.jumps.filter((jump) => !has(table, jump.replace('-I ', '-A '))))
    }
    text += `*${table}\n${lines.join('\n')}\nCOMMIT\n`
  }
  return text
}

/** Whether what `iptables-save` says has the chains, the jumps to them, and the bridge. */
export function isWhole(prefix: string, family: Family, bridge: string, saved: string): boolean {
  const chains = chainsOf(prefix, family)
  const has = sections(saved)
  return (
    Object.values(chains).every(
      ({ table, name, jumps }) =>
        has(table, `:${name} `) && jumps.every((jump) => has(table, jump.replace('-I ', '-A '))),
    ) && has('filter', `-A ${chains.forward.name} -o ${bridge} -j DROP`)
  )
}

/** Asks whether a table has a line with this beginning. */
function sections(saved: string): (table: string, beginning: string) => boolean {
  const tables = new Map<string, string[]>()
  let lines: string[] = []
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) {
      lines = []
      tables.set(line.slice(1), lines)
    } else {
      lines.push(line)
    }
  }
  return (table, beginning) => tables.get(table)?.some((line) => line.startsWith(beginning)) ?? false
}
