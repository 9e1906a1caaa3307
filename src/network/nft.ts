/** nf_tables as messages (linux/netfilter/nf_tables.h): the few expressions that the ruleset is made of. */
import { Netlink } from '../native/index.js'
import { Flag, Messages } from './message.js'

const SUBSYSTEM = 10
const NFPROTO_INET = 1
export const MSG = {
  newTable: 0,
  getTable: 1,
  delTable: 2,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  delRule: 8,
  newSet: 9,
  newElement: 12,
  getElement: 13,
  delElement: 14,
} as const

export type Expression = (to: Messages) => void

/** nfgenmsg. */
function header(family: number, resource = 0): Buffer {
  const bytes = Buffer.alloc(4)
  bytes[0] = family
  bytes.writeUInt16BE(resource, 2)
  return bytes
}

/** A transaction: all of it holds afterwards, or nothing. */
export class Transaction {
  readonly messages = new Messages(Netlink.netfilter)

  constructor(
    readonly table: string,
    /** An address family's number: inet by default. */
    readonly family = NFPROTO_INET,
  ) {
    this.messages.add(0x10, 0, header(0, SUBSYSTEM))
  }

  /** Closes it. */
  end(): Messages {
    return this.messages.add(0x11, 0, header(0, SUBSYSTEM))
  }

  add(type: number, flags: number, fill: (to: Messages) => void): this {
    this.messages.add((SUBSYSTEM << 8) | type, flags, header(this.family), fill)
    return this
  }

  /** @param exclusive the transaction fails where the table is already */
  newTable(exclusive = false): this {
    return this.add(MSG.newTable, Flag.create | (exclusive ? Flag.excl : 0), (to) => to.text(1, this.table))
  }

  delTable(): this {
    return this.add(MSG.delTable, 0, (to) => to.text(1, this.table))
  }

  /** A base chain. */
  newChain(name: string, type: 'filter' | 'nat', hook: number, priority: number): this {
    return this.add(MSG.newChain, Flag.create, (to) => {
      to.text(1, this.table).text(3, name)
      to.nested(4, (at) => at.be32(1, hook).be32(2, priority))
      to.be32(5, 1).text(7, type)
    })
  }

  emptyChain(name: string): this {
    return this.add(MSG.delRule, 0, (to) => to.text(1, this.table).text(2, name))
  }

  newRule(chain: string, expressions: readonly Expression[]): this {
    return this.add(MSG.newRule, Flag.create | Flag.append, (to) => {
      to.text(1, this.table).text(2, chain)
      to.nested(4, (list) => {
        for (const expression of expressions) list.nested(1, expression)
      })
    })
  }

  newSet(name: string, set: SetShape, id: number): this {
    return this.add(MSG.newSet, Flag.create, (to) => {
      const flags = (set.interval ? 4 : 0) | (set.data === undefined ? 0 : 8)
      to.text(1, this.table).text(2, name).be32(3, flags)
      to.be32(4, typeOf(set.key)).be32(5, sizeOf(set.key))
      if (set.data !== undefined) to.be32(6, typeOf(set.data)).be32(7, sizeOf(set.data))
      to.be32(10, id)
      // Only for those who print it: the name is text, not a number in network byte order.
      if (set.key.length === 1 && set.key[0] === 'ifname') to.bytes(13, Buffer.from([0, 4, 1, 0, 0, 0]))
    })
  }

  elements(type: 'newElement' | 'delElement', set: string, list: readonly SetElement[]): this {
    if (list.length === 0) return this
    return this.add(MSG[type], type === 'newElement' ? Flag.create : 0, (to) => elementList(to, this.table, set, list))
  }
}

/** Asks for one element: an error when the table, the set or the element is not there. */
export function getElement(table: string, set: string, key: Buffer): Messages {
  return new Messages(Netlink.netfilter).add((SUBSYSTEM << 8) | MSG.getElement, 0, header(NFPROTO_INET), (to) =>
    elementList(to, table, set, [{ key }]),
  )
}

/** Asks for a chain; attribute 6 of the answer says how many rules it has. */
export function getChain(to: Messages, table: string, chain: string): Messages {
  return to.add((SUBSYSTEM << 8) | MSG.getChain, 0, header(NFPROTO_INET), (at) => at.text(1, table).text(3, chain))
}

function elementList(to: Messages, table: string, set: string, list: readonly SetElement[]): void {
  to.text(1, table).text(2, set)
  to.nested(3, (elements) => {
    for (const element of list) {
      elements.nested(1, (at) => {
        at.nested(1, (key) => value(key, element.key, element.keyPort))
        if (element.data !== undefined) at.nested(2, (data) => value(data, element.data!))
        if (element.end) at.be32(3, 1)
      })
    }
  })
}

/** NFTA_DATA_VALUE; a port in it may be known only later. */
function value(to: Messages, bytes: Buffer, port?: { offset: number; reservation: number }): void {
  if (port !== undefined) to.later(to.position + 4 + port.offset, 'port', port.reservation)
  to.bytes(1, bytes)
}

/** Names and sizes of the parts of keys and data (nftables' own numbers, so that `nft list` prints them). */
const parts = { ipv4: [7, 4], ipv6: [8, 16], protocol: [12, 1], port: [13, 2], ifname: [41, 16] } as const

export type Part = keyof typeof parts

export interface SetShape {
  key: readonly Part[]
  data?: readonly Part[]
  interval?: boolean
}

export interface SetElement {
  key: Buffer
  /** The port in the key is that of a reservation. */
  keyPort?: { offset: number; reservation: number }
  data?: Buffer
  /** Closes the interval that the element before opened. */
  end?: boolean
}

const padded = (size: number): number => (size + 3) & ~3
const typeOf = (list: readonly Part[]): number => list.reduce((type, part) => (type << 6) | parts[part][0], 0)
const sizeOf = (list: readonly Part[]): number =>
  list.length === 1 ? parts[list[0]!][1] : list.reduce((size, part) => size + padded(parts[part][1]), 0)

/** One key or datum of several parts, each padded to four bytes. */
export function join(...list: Buffer[]): Buffer {
  if (list.length === 1) return list[0]!
  return Buffer.concat(list.map((part) => Buffer.concat([part, Buffer.alloc(padded(part.length) - part.length)])))
}

export const portBytes = (port: number): Buffer => Buffer.from([port >> 8, port & 255])

/** A name as the kernel compares it: 16 bytes. */
export const ifname = (name: string): Buffer => Buffer.concat([Buffer.from(name), Buffer.alloc(16 - name.length)])

/** Registers of four bytes begin here. */
const R = 8

const expression =
  (name: string, fill: (to: Messages) => void): Expression =>
  (to) =>
    to.text(1, name).nested(2, fill)

const cmp = (register: number, operation: 'eq' | 'neq', bytes: Buffer): Expression =>
  expression('cmp', (to) => {
    to.be32(1, register).be32(2, operation === 'eq' ? 0 : 1)
    to.nested(3, (data) => data.bytes(1, bytes))
  })

const meta = (key: number, register = R): Expression => expression('meta', (to) => to.be32(1, register).be32(2, key))
const payload = (base: 1 | 2, offset: number, length: number, register = R): Expression =>
  expression('payload', (to) => to.be32(1, register).be32(2, base).be32(3, offset).be32(4, length))
const lookup = (set: string, options: { invert?: boolean; data?: boolean } = {}): Expression =>
  expression('lookup', (to) => {
    to.text(1, set).be32(2, R)
    if (options.data) to.be32(3, R)
    if (options.invert) to.be32(5, 1)
  })
const verdict = (code: number): Expression =>
  expression('immediate', (to) => {
    to.be32(1, 0)
    to.nested(2, (data) => data.nested(2, (at) => at.be32(1, code)))
  })

const u32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(number)
  return bytes
}

export const accept = verdict(1)
export const drop = verdict(0)
export const masquerade = expression('masq', () => {})

/** Matches; each is a list of expressions. */
export const is = {
  family: (family: 4 | 6): Expression[] => [meta(15), cmp(R, 'eq', Buffer.from([family === 4 ? 2 : 10]))],
  inputIn: (set: string, invert = false): Expression[] => [meta(6), lookup(set, { invert })],
  outputIn: (set: string, invert = false): Expression[] => [meta(7), lookup(set, { invert })],
  pairIn: (set: string): Expression[] => [meta(6), meta(7, R + 4), lookup(set)],
  sourceIn: (family: 4 | 6, set: string): Expression[] => [
    family === 4 ? payload(1, 12, 4) : payload(1, 8, 16),
    lookup(set),
  ],
  sourceLoopback: [payload(1, 12, 1), cmp(R, 'eq', Buffer.from([127]))],
  destinationLoopback: [payload(1, 16, 1), cmp(R, 'eq', Buffer.from([127]))],
  /** An address of this host. */
  destinationLocal: [
    expression('fib', (to) => to.be32(1, R).be32(2, 3).be32(3, 2)),
    cmp(R, 'eq', u32(2)),
  ] as Expression[],
  /** ct state: bits. */
  state: (bits: number): Expression[] => [expression('ct', (to) => to.be32(1, R).be32(2, 0)), ...bitsSet(bits)],
  /** ct status dnat: its destination was changed by a rule. */
  translated: [expression('ct', (to) => to.be32(1, R).be32(2, 2)), ...bitsSet(0x20)] as Expression[],
  destination: (family: 4 | 6, address: Buffer): Expression[] => [
    family === 4 ? payload(1, 16, 4) : payload(1, 24, 16),
    cmp(R, 'eq', address),
  ],
  protocol: (number: number): Expression[] => [meta(16), cmp(R, 'eq', Buffer.from([number]))],
  destinationPort: (port: number): Expression[] => [payload(2, 2, 2), cmp(R, 'eq', portBytes(port))],
} as const

function bitsSet(bits: number): Expression[] {
  return [
    expression('bitwise', (to) => {
      to.be32(1, R).be32(2, R).be32(3, 4)
      to.nested(4, (mask) => mask.bytes(1, u32(bits)))
      to.nested(5, (xor) => xor.bytes(1, u32(0)))
    }),
    cmp(R, 'neq', u32(0)),
  ]
}

/** The new destination of what a map knows: address and port of the container. */
export function translate(family: 4 | 6, map: string, withAddress: boolean): Expression[] {
  const words = family === 4 ? 1 : 4
  const load: Expression[] = withAddress
    ? [family === 4 ? payload(1, 16, 4) : payload(1, 24, 16), meta(16, R + words), payload(2, 2, 2, R + words + 1)]
    : [meta(16, R), payload(2, 2, 2, R + 1)]
  return [
    ...load,
    lookup(map, { data: true }),
    expression('nat', (to) => {
      to.be32(1, 1).be32(2, family === 4 ? 2 : 10)
      to.be32(3, R)
        .be32(4, R)
        .be32(5, R + words)
        .be32(6, R + words)
    }),
  ]
}

/** To 127.0.0.11 and the port of the container's name service, which is known only when the rule is sent. */
export const toResolver = (port: number): Expression[] => [
  expression('immediate', (to) => {
    to.be32(1, R)
    to.nested(2, (data) => data.bytes(1, Buffer.from([127, 0, 0, 11])))
  }),
  expression('immediate', (to) => {
    to.be32(1, R + 1)
    to.nested(2, (data) => {
      data.later(data.position + 4, 'resolver')
      data.bytes(1, portBytes(port))
    })
  }),
  expression('nat', (to) => {
    to.be32(1, 1).be32(2, 2)
    to.be32(3, R)
      .be32(4, R)
      .be32(5, R + 1)
      .be32(6, R + 1)
  }),
]
