import type { Engine } from '../../engine/engine.js'
import { isJubakoError, JubakoError } from '../../errors/index.js'
import type { Command } from '../command.js'
import { inspectAll, inspectContainer } from '../io/inspect.js'

const inspectNetwork = async (engine: Engine, name: string) => (await engine.networks.get(name)).inspect()

const KINDS = ['container', 'image', 'network', 'volume']

function kindOfObject(text: string): string {
  if (text === '' || KINDS.includes(text)) return text
  throw new Error(
    `unknown type: ${JSON.stringify(text)}: must be one of ${KINDS.map((kind) => `"${kind}"`).join(', ')}`,
  )
}

export const command: Command = {
  spec: {
    name: 'inspect',
    aliases: ['inspect'],
    usage: '[OPTIONS] NAME|ID [NAME|ID...]',
    summary: 'Return low-level information on objects',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['f', 'format', 'string', "'json' or a Go template"],
      ['s', 'size', 'bool', 'Show sizes of containers'],
      [
        '',
        'type',
        'string',
        'Kind of object: container, image, network or volume',
        { parse: kindOfObject, late: true },
      ],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const type = flags.string('type') ?? ''
    const inspect = async (name: string): Promise<Record<string, unknown>> => {
      if (type === 'image') return engine.inspectImage(name)
      if (type === 'network') return inspectNetwork(engine, name)
      const volume = async () => (await engine.volumes.get(name)).inspect()
      if (type === 'volume') return volume()
      if (type === 'container') return inspectContainer(engine, name, flags.bool('size'))
      try {
        return await inspectContainer(engine, name, flags.bool('size'))
      } catch (error) {
        if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw error
      }
      try {
        return await engine.inspectImage(name)
      } catch (error) {
        if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND', 'ERR_JUBAKO_INVALID_REFERENCE')) throw error
      }
      try {
        return await inspectNetwork(engine, name)
      } catch (error) {
        if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw error
      }
      try {
        return await volume()
      } catch (error) {
        if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw error
        throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such object: ${name}`)
      }
    }
    return inspectAll(flags.args, flags.string('format'), inspect, context)
  },
}
