import {
  type Dockerfile,
  DockerfileError,
  didYouMean,
  type Instruction,
  parseMount,
  type Stage,
} from '../dockerfile/index.js'
import { expandAt } from './variables.js'

/** Where files come from that are not the build context's. */
export type Origin =
  | { kind: 'stage'; index: number }
  | { kind: 'image'; reference: string }
  | { kind: 'context'; name: string }

/** The stages and what they need of each other. */
export class StageGraph {
  readonly dockerfile: Dockerfile
  /** Base of each stage, variables expanded. */
  readonly bases: string[]
  readonly #contexts: ReadonlySet<string>

  constructor(dockerfile: Dockerfile, get: (name: string) => string | undefined, contexts: ReadonlySet<string>) {
    this.dockerfile = dockerfile
    this.#contexts = contexts
    this.bases = dockerfile.stages.map(({ from }) => {
      const base = expandAt(from.base, get, from.location, dockerfile.escape)
      if (base === '') {
        throw new DockerfileError(`base name (${from.base}) should not be blank`, from.location, {
          hint: 'give the ARG a default, or a value with --build-arg',
        })
      }
      return base
    })
  }

  /** Index of the stage that is to be built. */
  target(name: string | undefined): number {
    const { stages } = this.dockerfile
    if (name === undefined || name === '') return stages.length - 1
    const wanted = name.toLowerCase()
    const named = stages.findLastIndex((stage) => stage.name === wanted)
    if (named >= 0) return named
    if (/^\d+$/.test(name) && Number(name) < stages.length) return Number(name)
    const meant = didYouMean(
      wanted,
      stages.map((stage) => stage.name).filter((option) => option !== ''),
    )
    throw new DockerfileError(`target stage "${name}" could not be found${meant}`, stages.at(-1)!.from.location)
  }

  base(index: number): Origin | 'scratch' {
    const name = this.bases[index]!
    if (this.#contexts.has(name)) return { kind: 'context', name }
    if (name === 'scratch') return 'scratch'
    const stage = this.#named(name, index)
    return stage === undefined ? { kind: 'image', reference: name } : { kind: 'stage', index: stage }
  }

  /** What `--from` of an instruction in a stage means. */
  origin(from: string, index: number, instruction: Instruction): Origin {
    if (this.#contexts.has(from)) return { kind: 'context', name: from }
    const { stages } = this.dockerfile
    if (/^\d+$/.test(from)) {
      const number = Number(from)
      if (number < index) return { kind: 'stage', index: number }
      throw new DockerfileError(
        `invalid from flag value ${from}: ${number === index ? 'refers to current build block' : 'index out of bounds'}`,
        instruction.location,
      )
    }
    const named = this.#named(from, index) ?? stages.findIndex(({ name }) => name === from.toLowerCase())
    return named >= 0 ? { kind: 'stage', index: named } : { kind: 'image', reference: from }
  }

  /** Stages that a stage needs, as far as the Dockerfile says. */
  needs(index: number): number[] {
    const stage = this.dockerfile.stages[index]!
    const base = this.base(index)
    const found = new Set<number>()
    if (base !== 'scratch' && base.kind === 'stage') found.add(base.index)
    for (const instruction of stage.instructions) {
      for (const from of fromsOf(instruction)) {
        const origin = this.origin(from, index, instruction)
        if (origin.kind === 'stage') found.add(origin.index)
      }
    }
    return [...found]
  }

  /**
   * The stages that a target needs, itself last.
   *
   * @throws DockerfileError for stages that need each other
   */
  needed(target: number): number[] {
    const done: number[] = []
    const visit = (index: number, path: number[]) => {
      if (path.includes(index)) {
        const stage = this.dockerfile.stages[index]!
        throw new DockerfileError(`circular dependency detected on stage: ${this.name(stage)}`, stage.from.location, {
          hint: `the stages need each other: ${[...path.slice(path.indexOf(index)), index].map((i) => this.name(this.dockerfile.stages[i]!)).join(' -> ')}`,
        })
      }
      if (done.includes(index)) return
      for (const next of this.needs(index)) visit(next, [...path, index])
      done.push(index)
    }
    visit(target, [])
    return done
  }

  name(stage: Stage): string {
    return stage.name === '' ? `stage-${stage.index}` : stage.name
  }

  /** The last stage of that name before `index`. */
  #named(name: string, index: number): number | undefined {
    const found = this.dockerfile.stages.slice(0, index).findLastIndex((stage) => stage.name === name.toLowerCase())
    return found < 0 ? undefined : found
  }
}

/** Names in `--from` and `--mount=from=`. */
export function fromsOf(instruction: Instruction): string[] {
  if (instruction.kind === 'copy' || instruction.kind === 'add')
    return instruction.from === undefined ? [] : [instruction.from]
  if (instruction.kind !== 'run') return []
  return instruction.mounts.flatMap((mount) => {
    try {
      return parseMount(mount, (word) => word || 'x').from ?? []
    } catch {
      // Variables decide; it is read again when it runs.
      return []
    }
  })
}
