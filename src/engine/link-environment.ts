/** What docker's `--link` puts into the environment, in the default network only. */
import { JubakoError } from '../errors/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { runNetwork } from './network-state.js'

const notInherited = new Set(['HOME', 'HOSTNAME', 'PATH'])

function ports(exposed: readonly string[]): { port: number; protocol: string }[] {
  return exposed
    .map((key) => ({ port: Number(key.split('/')[0]), protocol: key.split('/')[1] ?? 'tcp' }))
    .sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1))
}

/**
 * A container with what its links add; its own variables win.
 *
 * @throws JubakoError ERR_JUBAKO_CONFLICT when a linked container does not run
 */
export function withLinks(context: EngineContext, config: ContainerConfig): ContainerConfig {
  const added = linkEnvironment(context, config)
  if (added.length === 0) return config
  const own = new Set(config.env.map((entry) => entry.split('=')[0]))
  return { ...config, env: [...added.filter((entry) => !own.has(entry.split('=')[0])), ...config.env] }
}

function linkEnvironment(context: EngineContext, config: ContainerConfig): string[] {
  return (config.endpoints ?? []).flatMap(({ network, links }) =>
    context.networks.store.load(network)?.name === 'bridge'
      ? links.flatMap((link) => linkVariables(context, config, network, link))
      : [],
  )
}

function linkVariables(context: EngineContext, config: ContainerConfig, network: string, link: string): string[] {
  const [target = '', alias = target.replace(/^\//, '')] = link.split(':')
  const other = context.store.find(target)
  const name = `/${config.name}/${alias}`
  const endpoint = runNetwork(context, other.id)?.endpoints.find((one) => one.network === network)
  const address = endpoint?.ipv4?.address
  if (address === undefined || !context.store.isRunning(other.id)) {
    throw new JubakoError('ERR_JUBAKO_CONFLICT', `Cannot link to a non running container: /${other.name} AS ${name}`, {
      hint: `start it first: jubako start ${other.name}`,
    })
  }
  const prefix = alias.toUpperCase().replaceAll('-', '_')
  const all = ports(other.exposedPorts)
  const inherited = other.env.filter((entry) => entry.includes('=') && !notInherited.has(entry.split('=')[0]!))
  return [
    ...all.slice(0, 1).map(({ port, protocol }) => `${prefix}_PORT=${protocol}://${address}:${port}`),
    ...all.flatMap(({ port, protocol }) => {
      const key = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
      return [
        `${key}=${protocol}://${address}:${port}`,
        `${key}_ADDR=${address}`,
        `${key}_PORT=${port}`,
        `${key}_PROTO=${protocol}`,
      ]
    }),
    `${prefix}_NAME=${name}`,
    ...inherited.map((entry) => `${prefix}_ENV_${entry}`),
  ]
}
