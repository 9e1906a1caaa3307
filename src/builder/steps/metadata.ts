import { isIP } from 'node:net'
import { DockerfileError, expand, type Instruction } from '../../dockerfile/index.js'
import type { StageState } from '../state.js'
import { expandAt, type Scope } from '../variables.js'

export interface MetadataContext {
  scope: Scope
  token: string
  /** The shell of the shell form, set by SHELL. */
  defaultShell: readonly string[]
}

const sorted = (keys: Iterable<string>) => Object.fromEntries([...keys].sort().map((key) => [key, {}]))

/** Ports and ranges of one word: `80`, `80-82/udp`. */
function ports(word: string, fail: (message: string) => never): string[] {
  const [range = '', protocol = 'tcp'] = word.split('/')
  const at = range.lastIndexOf(':')
  const port = range.slice(at + 1)
  // An address and a port of the host may be there, and mean nothing.
  const address = range
    .slice(0, Math.max(at, 0))
    .replace(/:?[\d-]*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
  if (address !== '' && isIP(address) === 0) fail(`invalid IP address: ${address}`)
  const match = /^(\d+)(?:-(\d+))?$/.exec(port)
  if (match === null || !/^(tcp|udp|sctp)$/i.test(protocol)) fail(`invalid containerPort: ${word}`)
  const [first, last] = [Number(match![1]), Number(match![2] ?? match![1])]
  if (last < first || last > 65535) fail(`invalid range specified for port: ${word}`)
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol.toLowerCase()}`)
}

/**
 * Carries out an instruction that changes the configuration only.
 *
 * @returns what the history says; undefined when the instruction is of another kind
 */
export function applyMetadata(
  state: StageState,
  instruction: Instruction,
  context: MetadataContext,
): string | undefined {
  const { config } = state
  const { scope, token } = context
  const { location } = instruction
  const word = (text: string) => expandAt(text, scope.get, location, token)
  const fail = (message: string): never => {
    throw new DockerfileError(message, location)
  }
  const shell = (args: readonly string[], prepend: boolean) =>
    prepend && args.length > 0 ? [...(config.Shell ?? context.defaultShell), ...args] : [...args]
  switch (instruction.kind) {
    case 'env': {
      const pairs = instruction.pairs.map(({ key, value }) => [word(key), word(value)] as const)
      for (const [key, value] of pairs) scope.env.set(key, value)
      config.Env = scope.envList()
      return `ENV ${pairs.map(([key, value]) => `${key}=${value}`).join(' ')}`
    }
    case 'label': {
      const pairs = instruction.pairs.map(({ key, value }) => [word(key), word(value)] as const)
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs) }
      return `LABEL ${pairs.map(([key, value]) => `${key}=${value}`).join(' ')}`
    }
    case 'maintainer':
      state.author = instruction.value
      return `MAINTAINER ${instruction.value}`
    case 'cmd': {
      config.Cmd = shell(instruction.command.args, instruction.command.shell)
      return `CMD ${JSON.stringify(config.Cmd)}`
    }
    case 'entrypoint': {
      const args = shell(instruction.command.args, instruction.command.shell)
      if (args.length === 0) delete config.Entrypoint
      else config.Entrypoint = args
      return `ENTRYPOINT ${JSON.stringify(args)}`
    }
    case 'shell':
      config.Shell = [...instruction.shell]
      return `SHELL [${instruction.shell.join(' ')}]`
    case 'user':
      config.User = word(instruction.value)
      return `USER ${config.User}`
    case 'stopsignal': {
      const signal = word(instruction.value)
      if (!/^(\d+|(SIG)?[A-Z0-9+-]+)$/i.test(signal)) fail(`Invalid signal: ${signal}`)
      config.StopSignal = signal
      return `STOPSIGNAL ${signal}`
    }
    case 'healthcheck':
      config.Healthcheck = instruction.check
      return `HEALTHCHECK ${JSON.stringify(instruction.check)}`
    case 'onbuild':
      config.OnBuild = [...(config.OnBuild ?? []), instruction.expression]
      return `ONBUILD ${instruction.expression}`
    case 'volume': {
      const volumes = instruction.values.map(word)
      if (volumes.includes('')) fail('VOLUME specified can not be an empty string')
      config.Volumes = sorted([...Object.keys(config.Volumes ?? {}), ...volumes])
      return `VOLUME [${volumes.join(' ')}]`
    }
    case 'expose': {
      const words = instruction.values.flatMap((value) => expand(value, scope.get, { escape: token }).words)
      const found = words.flatMap((text) => ports(text, fail))
      config.ExposedPorts = sorted([...Object.keys(config.ExposedPorts ?? {}), ...found])
      return `EXPOSE [${found.join(' ')}]`
    }
    default:
      return undefined
  }
}
