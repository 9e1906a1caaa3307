import type { ContainerStats } from '../../engine/types.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatList, type ListStyle } from '../format/list.js'
import { binarySize, humanSize, shortId } from '../format/units.js'

const style: ListStyle = {
  typeName: '*container.statsContext',
  table: '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}',
  headings: {
    Container: 'CONTAINER',
    ID: 'CONTAINER ID',
    Name: 'NAME',
    CPUPerc: 'CPU %',
    MemUsage: 'MEM USAGE / LIMIT',
    MemPerc: 'MEM %',
    NetIO: 'NET I/O',
    BlockIO: 'BLOCK I/O',
    PIDs: 'PIDS',
  },
}

interface Sample {
  id: string
  name: string
  given: string
  first: ContainerStats
  last: ContainerStats
}

function row(
  { id, name, given, first, last }: Sample,
  truncate: boolean,
  memoryTotal: number,
): Record<string, unknown> {
  const elapsedNs = (last.readAt - first.readAt) * 1e6
  const cpu = elapsedNs > 0 ? ((last.cpu.usageNs - first.cpu.usageNs) / elapsedNs) * 100 : 0
  const limit = last.memory.limit ?? memoryTotal
  const network = Object.values(last.network)
  const sum = (key: 'rxBytes' | 'txBytes') => network.reduce((total, it) => total + it[key], 0)
  return {
    Container: given,
    ID: truncate ? shortId(id) : id,
    Name: name,
    CPUPerc: `${cpu.toFixed(2)}%`,
    MemUsage: `${binarySize(last.memory.usage)} / ${binarySize(limit)}`,
    MemPerc: `${((last.memory.usage / limit) * 100).toFixed(2)}%`,
    NetIO: `${humanSize(sum('rxBytes'))} / ${humanSize(sum('txBytes'))}`,
    BlockIO: `${humanSize(last.blkio.readBytes)} / ${humanSize(last.blkio.writeBytes)}`,
    PIDs: String(last.pids.current),
  }
}

const second = () => new Promise((resolve) => setTimeout(resolve, 1000))

export const command: Command = {
  spec: {
    name: 'stats',
    aliases: ['container stats', 'stats'],
    usage: '[OPTIONS] [CONTAINER...]',
    summary: 'Display a live stream of container(s) resource usage statistics',
    args: [0, Number.POSITIVE_INFINITY],
    flags: [
      ['a', 'all', 'bool', 'Show all containers, not only running ones'],
      ['', 'format', 'string', "'table', 'table TEMPLATE', 'json' or a Go template"],
      ['', 'no-stream', 'bool', 'Show one sample and end'],
      ['', 'no-trunc', 'bool', 'Do not cut columns'],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const { memory } = await engine.info()
    const previous = new Map<string, ContainerStats>()
    const names = async () =>
      flags.args.length > 0 ? flags.args : (await engine.containers({ all: false })).map(({ id }) => id)
    const sample = async (): Promise<Sample[]> => {
      const out: Sample[] = []
      for (const given of await names()) {
        const container = await engine.container(given)
        const last = await container.stats().catch((error: unknown) => {
          if (flags.args.length > 0 && flags.bool('no-stream')) throw error
          return undefined
        })
        if (last === undefined) continue
        out.push({ id: container.id, name: container.name, given, first: previous.get(container.id) ?? last, last })
        previous.set(container.id, last)
      }
      return out
    }
    await sample()
    for (;;) {
      await second()
      const rows = (await sample()).map((it) => row(it, !flags.bool('no-trunc'), memory))
      const text = formatList(style, rows, flags.string('format'))
      context.out.text(flags.bool('no-stream') ? text : `\x1b[H\x1b[2J${text}`)
      if (flags.bool('no-stream')) return EXIT.ok
    }
  },
}
