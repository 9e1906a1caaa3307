import { type Compression, compressions } from './plan.js'

const forms = { layer: 0, tree: 1 } as const

/** What the worker is told; the fields of native/init/pack.cc. */
export interface PackOrders {
  form: keyof typeof forms
  /** Whether the diffID is wanted. */
  hash: boolean
  /** What changes or vanishes meanwhile is no failure. */
  tolerant: boolean
  compression: Exclude<Compression, 'detect'>
  level: number
  hasOutput: boolean
  /** Directories of an overlay, topmost first; empty: the tree is a descriptor. */
  lowers: readonly string[]
  scratch: string
  path: string
  follow: boolean
  name: string
}

export function encodePackOrders(orders: PackOrders): Buffer {
  const parts: Buffer[] = []
  const number = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(value)
    parts.push(bytes)
  }
  const text = (value: string) => {
    const bytes = Buffer.from(value)
    number(bytes.length)
    parts.push(bytes, Buffer.alloc(1))
  }
  number(forms[orders.form])
  number(Number(orders.hash))
  number(Number(orders.tolerant))
  number(compressions[orders.compression])
  number(orders.level)
  number(Number(orders.hasOutput))
  number(orders.lowers.length)
  for (const lower of orders.lowers) text(lower)
  text(orders.scratch)
  text(orders.path)
  number(Number(orders.follow))
  text(orders.name)
  return Buffer.concat(parts)
}
