import { DockerfileError, didYouMean, type Instruction, type InstructionOf } from '../dockerfile/index.js'
import { JubakoError } from '../errors/index.js'
import { parsePlatform } from '../oci/index.js'
import { type BuildContext, type ContextSource, openContext } from './context.js'
import { BuildError } from './error.js'
import type { Origin, StageGraph } from './graph.js'
import type { BuildOptions } from './options.js'
import { imageState, keyOf, type StageState, scratchState } from './state.js'
import type { BaseImage } from './types.js'
import { expandAt } from './variables.js'
import { type OpenedFrom, pathsOf, type Work } from './work.js'

const DOCKER_IMAGE = 'docker-image://'

/** The image that a named context stands for; undefined when it is a folder or an archive. */
export const imageOf = (source: ContextSource): string | undefined =>
  typeof source === 'string' && source.startsWith(DOCKER_IMAGE) ? source.slice(DOCKER_IMAGE.length) : undefined

/** What a build takes from outside beside its context: base images and named contexts, each opened once. */
export class Inputs {
  readonly #options: BuildOptions
  readonly #work: Work
  readonly #graph: StageGraph
  readonly #stage: (index: number) => Promise<StageState>
  readonly #images = new Map<string, Promise<BaseImage>>()
  readonly #contexts = new Map<string, Promise<BuildContext>>()
  /** Whoever makes this closes them. */
  readonly #opened: BuildContext[]

  constructor(
    options: BuildOptions,
    work: Work,
    graph: StageGraph,
    stage: (index: number) => Promise<StageState>,
    opened: BuildContext[],
  ) {
    this.#options = options
    this.#work = work
    this.#graph = graph
    this.#stage = stage
    this.#opened = opened
  }

  /** What a stage stands on. */
  async base(
    origin: Origin | 'scratch',
    from: InstructionOf<'from'>,
    { platform, get }: { platform: string; get: (name: string) => string | undefined },
  ): Promise<StageState> {
    const seed = this.#work.epoch === undefined ? '' : String(this.#work.epoch)
    if (origin === 'scratch') return scratchState(parsePlatform(platform), seed)
    if (origin.kind === 'stage') return this.#stage(origin.index)
    if (origin.kind === 'context') {
      const reference = imageOf(this.#options.contexts![origin.name]!)
      if (reference !== undefined) return imageState(await this.#image(reference, undefined, from), seed)
      throw new DockerfileError(`context "${origin.name}" is no image: a stage cannot begin with it`, from.location)
    }
    const own =
      from.platform === undefined
        ? this.#options.platform
        : expandAt(from.platform, get, from.location, this.#graph.dockerfile.escape)
    return imageState(await this.#image(origin.reference, own, from), seed)
  }

  #image(reference: string, platform: string | undefined, instruction: Instruction): Promise<BaseImage> {
    const key = `${platform ?? ''} ${reference}`
    let image = this.#images.get(key)
    if (image === undefined) {
      image = this.#resolve(reference, platform, instruction, keyOf('vertex', 'image', key).slice(0, 32))
      this.#images.set(key, image)
    }
    return image
  }

  async #resolve(
    reference: string,
    platform: string | undefined,
    instruction: Instruction,
    step: string,
  ): Promise<BaseImage> {
    const { parts, signal, emit } = this.#work
    emit({ type: 'start', step, name: `[internal] load metadata for ${reference}`, time: parts.now() })
    try {
      const found = await parts.images.resolve(reference, {
        pull: this.#options.pull ?? false,
        platform,
        auth: this.#options.auth,
        signal,
      })
      emit({ type: 'end', step, time: parts.now() })
      return found
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      emit({ type: 'end', step, time: parts.now(), error: message })
      if (!(error instanceof JubakoError) || signal.aborted) throw error
      const { stages, source } = this.#graph.dockerfile
      const names = stages.map(({ name }) => name).filter((name) => name !== '')
      throw new BuildError(
        error.code,
        `${reference}: failed to resolve source metadata: ${error.message}${didYouMean(reference, names)}`,
        { location: instruction.location, source },
        { cause: error, hint: error.hint },
      )
    }
  }

  /** What `--from` names. */
  async open(from: string, user: { stage: number; instruction: Instruction }): Promise<OpenedFrom> {
    const origin = this.#graph.origin(from, user.stage, user.instruction)
    if (origin.kind === 'stage') {
      if (origin.index === user.stage) {
        throw new DockerfileError(`circular dependency detected on stage: ${from}`, user.instruction.location)
      }
      const state = await this.#stage(origin.index)
      return { layers: pathsOf(this.#work, state), key: state.key }
    }
    const source = origin.kind === 'context' ? this.#options.contexts![origin.name]! : undefined
    const reference = origin.kind === 'image' ? origin.reference : imageOf(source!)
    if (reference === undefined) return { context: await this.#context((origin as { name: string }).name, source!) }
    const platform = origin.kind === 'image' ? this.#options.platform : undefined
    const image = await this.#image(reference, platform, user.instruction)
    return { layers: [...image.layers], key: keyOf('image', image.id) }
  }

  #context(name: string, source: ContextSource): Promise<BuildContext> {
    let context = this.#contexts.get(name)
    if (context === undefined) {
      const { parts, scratch, signal } = this.#work
      context = openContext(source, parts, scratch, signal).then(async (opened) => {
        this.#opened.push(opened.context)
        await opened.context.readIgnores(undefined)
        return opened.context
      })
      this.#contexts.set(name, context)
    }
    return context
  }
}
