import { type Dockerfile, describedBy, parseMount } from '../dockerfile/index.js'
import { StageGraph } from './graph.js'
import type { BuildOptions } from './options.js'
import { globalArguments, Scope } from './variables.js'

interface Wanted {
  name: string
  required: boolean
}

/** What a target of a Dockerfile can be given. */
export interface Outline {
  /** Of the stage; empty: it has none. */
  name: string
  description: string
  args: { name: string; value: string; description: string }[]
  secrets: Wanted[]
  ssh: Wanted[]
  /** Ids of cache mounts. */
  caches: string[]
}

/** Reads the stages that a target needs. Nothing is expanded but the values of ARG. */
export function outlineOf(
  dockerfile: Dockerfile,
  options: Pick<BuildOptions, 'target' | 'args' | 'contexts'>,
  predefined: Readonly<Record<string, string>>,
): Outline {
  const given = options.args ?? {}
  const globals = globalArguments(dockerfile, given, predefined)
  const get = (name: string) => globals.get(name) ?? predefined[name]
  const graph = new StageGraph(dockerfile, get, new Set(Object.keys(options.contexts ?? {})))
  const index = graph.target(options.target)
  const target = dockerfile.stages[index]!
  const args = new Map<string, Outline['args'][number]>()
  const [secrets, ssh] = [new Map<string, boolean>(), new Map<string, boolean>()]
  const caches = new Set<string>()
  for (const { args: list, comments } of dockerfile.globals) {
    for (const { name } of list) {
      args.set(name, { name, value: globals.get(name) ?? '', description: describedBy(comments, name) })
    }
  }
  for (const stage of graph.needed(index).map((i) => dockerfile.stages[i]!)) {
    const scope = new Scope()
    for (const instruction of stage.instructions) {
      if (instruction.kind === 'arg') {
        for (const { name, value } of instruction.args) {
          const known = given[name] ?? value ?? globals.get(name) ?? ''
          const description = describedBy(instruction.comments, name) || (args.get(name)?.description ?? '')
          scope.args.set(name, known)
          args.set(name, { name, value: known, description })
        }
      }
      if (instruction.kind !== 'run') continue
      for (const text of instruction.mounts) {
        const mount = parseMount(text, (word) => word)
        const id = mount.id ?? mount.source ?? mount.target?.split('/').at(-1) ?? 'default'
        if (mount.type === 'secret') secrets.set(id, (secrets.get(id) ?? false) || mount.required)
        else if (mount.type === 'ssh') ssh.set(mount.id ?? 'default', mount.required)
        else if (mount.type === 'cache') caches.add(mount.id ?? mount.target ?? '')
      }
    }
  }
  const list = (of: Map<string, boolean>): Wanted[] => [...of].map(([name, required]) => ({ name, required }))
  return {
    name: target.name,
    description: describedBy(target.from.comments, target.name),
    args: [...args.values()],
    secrets: list(secrets),
    ssh: list(ssh),
    caches: [...caches],
  }
}
