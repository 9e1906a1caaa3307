import { type Dockerfile, type Instruction, parseTrigger, type Stage } from '../dockerfile/index.js'
import { copyState, keyOf, type StageState } from './state.js'
import { copyStep } from './steps/copy.js'
import { applyMetadata } from './steps/metadata.js'
import { absoluteTarget } from './steps/paths.js'
import { runStep } from './steps/run.js'
import { workdirStep } from './steps/workdir.js'
import { expandAt, isProxyArgument, Scope } from './variables.js'
import { note, type Work } from './work.js'

const DEFAULT_SHELL = ['/bin/sh', '-c']
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface StageInput {
  stage: Stage
  dockerfile: Dockerfile
  base: StageState
  fromScratch: boolean
  /** ARG values given from outside. */
  args: Readonly<Record<string, string>>
  globals: ReadonlyMap<string, string | undefined>
  predefined: Readonly<Record<string, string>>
  noCache: boolean
  /** Name for people; empty when there is only one stage. */
  label: string
}

export interface Counter {
  steps: number
  cached: number
}

type Kind = Exclude<Instruction, { kind: 'from' }>

const makesLayer = ({ kind }: Instruction) => kind === 'run' || kind === 'copy' || kind === 'add' || kind === 'workdir'

/** Carries out the instructions of one stage. */
export async function buildStage(input: StageInput, work: Work, counter: Counter): Promise<StageState> {
  const state = copyState(input.base)
  const scope = new Scope(state.args)
  state.args = scope.args
  scope.loadEnv(state.config.Env ?? [])
  const triggers = (state.config.OnBuild ?? []).flatMap((expression) => parseTrigger(expression) as Kind[])
  delete state.config.OnBuild
  const instructions = [...triggers, ...input.stage.instructions]
  const total = instructions.filter(makesLayer).length + 1
  const runner = new StageRunner(input, work, counter, state, scope, total)
  for (const instruction of instructions) await runner.one(instruction)
  return state
}

class StageRunner {
  #number = 1
  #commandSet = false

  constructor(
    readonly input: StageInput,
    readonly work: Work,
    readonly counter: Counter,
    readonly state: StageState,
    readonly scope: Scope,
    readonly total: number,
  ) {}

  async one(instruction: Kind): Promise<void> {
    this.work.signal.throwIfAborted()
    if (!makesLayer(instruction)) {
      this.#metadata(instruction)
      return
    }
    this.#number++
    this.counter.steps++
    const label = this.input.label === '' ? '' : `${this.input.label} `
    const shown = instruction.original.trim().replace(/^\S+/, (word) => word.toUpperCase())
    const name = `[${label}${this.#number}/${this.total}] ${shown}`
    const step = keyOf('vertex', String(this.input.stage.index), String(this.#number)).slice(0, 32)
    this.work.emit({ type: 'start', step, name, time: this.work.parts.now() })
    try {
      const { cached } = await this.#step(instruction, name, step)
      if (cached) {
        this.counter.cached++
        this.work.emit({ type: 'cached', step })
      }
      this.work.emit({ type: 'end', step, time: this.work.parts.now() })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.work.emit({ type: 'end', step, time: this.work.parts.now(), error: message })
      if (error instanceof Error && !('stepName' in error)) Object.assign(error, { stepName: name })
      throw error
    }
  }

  #step(instruction: Kind, name: string, step: string): Promise<{ cached: boolean }> {
    const { dockerfile, stage, noCache } = this.input
    const token = dockerfile.escape
    const common = { scope: this.scope, token, stage: stage.index, noCache }
    if (instruction.kind === 'copy' || instruction.kind === 'add')
      return copyStep(instruction, this.state, common, this.work)
    if (instruction.kind === 'workdir') {
      const path = expandAt(instruction.value, this.scope.get, instruction.location, token)
      const target = absoluteTarget(path, this.state.config.WorkingDir).replace(/(.)\/$/, '$1')
      return workdirStep(instruction, target, this.state, noCache, this.work)
    }
    if (instruction.kind !== 'run') throw new Error(`${instruction.kind} is no step`)
    this.#defaultPath()
    const proxies = Object.fromEntries(Object.entries(this.input.args).filter(([key]) => isProxyArgument(key)))
    return runStep(instruction, this.state, { ...common, name, step, proxies, defaultShell: DEFAULT_SHELL }, this.work)
  }

  #defaultPath(): void {
    if (!this.scope.env.has('PATH')) this.scope.loadEnv([DEFAULT_PATH])
  }

  #metadata(instruction: Kind): void {
    if (instruction.kind === 'arg') {
      const shown = instruction.args.map(({ name, value }) => this.#declare(name, value, instruction))
      note(this.state, `ARG ${shown.join(' ')}`, true)
      return
    }
    const context = { scope: this.scope, token: this.input.dockerfile.escape, defaultShell: DEFAULT_SHELL }
    const createdBy = applyMetadata(this.state, instruction, context)
    if (createdBy === undefined) return
    if (instruction.kind === 'cmd') this.#commandSet = true
    // As BuildKit has it: a command that comes from the base does not fit a new entry point.
    if (instruction.kind === 'entrypoint' && !this.#commandSet) delete this.state.config.Cmd
    note(this.state, createdBy, true)
  }

  #declare(name: string, value: string | undefined, instruction: Kind): string {
    const { args, globals, predefined, dockerfile } = this.input
    const given = Object.hasOwn(args, name) ? args[name] : undefined
    const own =
      value === undefined ? undefined : expandAt(value, this.scope.get, instruction.location, dockerfile.escape)
    const known = given ?? own ?? globals.get(name) ?? predefined[name] ?? this.scope.args.get(name)
    this.scope.args.set(name, known)
    return known === undefined ? name : `${name}=${known}`
  }
}
