import { posix } from 'node:path'
import { expand, type Instruction, parseTrigger } from '../dockerfile/index.js'
import { invalidArgument } from '../errors/index.js'
import type { ContainerConfig } from '../oci/index.js'

const DEFAULT_SHELL = ['/bin/sh', '-c']
const ALLOWED = new Set<Instruction['kind']>([
  'cmd',
  'entrypoint',
  'healthcheck',
  'env',
  'expose',
  'label',
  'onbuild',
  'stopsignal',
  'user',
  'volume',
  'workdir',
])

/**
 * An image's configuration after Dockerfile instructions, as `--change` of `commit` and `import` takes them.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for one that is malformed or changes more than the configuration
 */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const result: ContainerConfig = { ...config }
  const given = new Set<string>()
  for (const instruction of changes.flatMap(parseChange)) {
    apply(result, instruction, given)
    given.add(instruction.kind)
  }
  return result
}

function parseChange(text: string): Instruction[] {
  const keyword = (/^\s*(\S*)/.exec(text)?.[1] ?? '').toLowerCase()
  if (!ALLOWED.has(keyword as Instruction['kind'])) {
    throw invalidArgument(`${keyword} is not a valid change command`, { path: text })
  }
  let instructions: Instruction[]
  try {
    instructions = parseTrigger(text)
  } catch (cause) {
    throw invalidArgument((cause as Error).message, { path: text, cause })
  }
  const other = instructions.find(({ kind }) => !ALLOWED.has(kind))
  if (other !== undefined) throw invalidArgument(`${other.kind} is not a valid change command`, { path: text })
  return instructions
}

function apply(config: ContainerConfig, instruction: Instruction, given: ReadonlySet<string>): void {
  const word = (text: string) => expandIn(config, text)
  switch (instruction.kind) {
    case 'cmd':
      config.Cmd = argsOf(config, instruction.command)
      break
    case 'entrypoint':
      config.Entrypoint = argsOf(config, instruction.command)
      // The command was meant for the entrypoint before.
      if (!given.has('cmd')) delete config.Cmd
      break
    case 'env': {
      // All values are expanded by what was set before the instruction.
      const pairs = instruction.pairs.map(({ key, value }) => [word(key), word(value)] as const)
      for (const [key, value] of pairs) config.Env = withVariable(config.Env ?? [], key, value)
      break
    }
    case 'label':
      config.Labels = {
        ...config.Labels,
        ...Object.fromEntries(instruction.pairs.map(({ key, value }) => [word(key), word(value)])),
      }
      break
    case 'expose':
      config.ExposedPorts = { ...config.ExposedPorts, ...keys(instruction.values.map(word).flatMap(portsOf)) }
      break
    case 'volume':
      config.Volumes = { ...config.Volumes, ...keys(instruction.values.map(word)) }
      break
    case 'workdir':
      config.WorkingDir = posix.resolve(config.WorkingDir || '/', word(instruction.value))
      break
    case 'user':
      config.User = word(instruction.value)
      break
    case 'stopsignal':
      config.StopSignal = word(instruction.value)
      break
    case 'healthcheck':
      config.Healthcheck = instruction.check
      break
    case 'onbuild':
      config.OnBuild = [...(config.OnBuild ?? []), instruction.expression]
      break
  }
}

function argsOf(config: ContainerConfig, command: { args: string[]; shell: boolean }): string[] {
  return command.shell ? [...(config.Shell ?? DEFAULT_SHELL), ...command.args] : command.args
}

function expandIn(config: ContainerConfig, text: string): string {
  const find = (name: string) => config.Env?.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1)
  try {
    return expand(text, find).text
  } catch (cause) {
    throw invalidArgument((cause as Error).message, { cause })
  }
}

function withVariable(env: readonly string[], name: string, value: string): string[] {
  const line = `${name}=${value}`
  const at = env.findIndex((other) => other.startsWith(`${name}=`))
  return at < 0 ? [...env, line] : env.with(at, line)
}

function keys(names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}

/** `80`, `80/udp` or `8000-8003/tcp`. */
function portsOf(text: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (match === null || first < 1 || last > 65535 || last < first)
    throw invalidArgument(`invalid containerPort: ${text}`)
  const protocol = (match[3] ?? 'tcp').toLowerCase()
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol}`)
}
