import type { ContainerStats } from '../../engine/types.js'
import { isJubakoError } from '../../errors/index.js'
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
  /** Nothing of one that does not run. */
  stats: { first: ContainerStats; last: ContainerStats } | undefined
}

/** What docker shows of a container that does not run. */
const idle = {
  CPUPerc: '0.00%',
  MemUsage: '0B / 0B',
  MemPerc: '0.00%',
  NetIO: '0B / 0B',
  BlockIO: '0B / 0B',
  PIDs: '0',
}

function row({ id, name, given, stats }: Sample, truncate: boolean, memoryTotal: number): Record<string, unknown> {
  const common = { Container: given, ID: truncate ? shortId(id) : id, Name: name }
  if (stats === undefined) return { ...common, ...idle }
  const { first, last } = stats
  const elapsedNs = (last.readAt - first.readAt) * 1e6
  const cpu = elapsedNs > 0 ? ((last.cpu.usageNs - first.cpu.usageNs) / elapsedNs) * 100 : 0
  const limit = last.memory.limit ?? memoryTotal
  const network = Object.values(last.network)
  const sum = (key: 'rxBytes' | 'txBytes') => network.reduce((total, it) => total + it[key], 0)
  return {
    ...common,
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
    const wanted = async (): Promise<readonly [given: string, id: string, name: string][]> => {
      if (flags.args.length === 0) {
        const all = await engine.containers({ all: flags.bool('all') })
        return all.map(({ id, name }) => [shortId(id), id, name])
      }
      const named = await Promise.all(flags.args.map((given) => engine.container(given)))
      return named.map(({ id, name }, i) => [flags.args[i]!, id, name])
    }
    const sample = async (): Promise<Sample[]> => {
      const out: Sample[] = []
      for (const [given, id, name] of await wanted()) {
        const last = await engine
          .container(id)
          .then((container) => container.stats())
          .catch((error: unknown) => {
            // One that does not run, or that has gone in this moment.
            if (isJubakoError(error, 'ERR_JUBAKO_STATE', 'ERR_JUBAKO_NOT_FOUND')) return undefined
            throw error
          })
        out.push({ id, name, given, stats: last && { first: previous.get(id) ?? last, last } })
        if (last !== undefined) previous.set(id, last)
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
