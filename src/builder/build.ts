import {
  type CheckWarning,
  checkDockerfile,
  type Dockerfile,
  DockerfileError,
  didYouMean,
  type Instruction,
  parseCheckConfig,
  parseDockerfile,
} from '../dockerfile/index.js'
import { isJubakoError, JubakoError } from '../errors/index.js'
import { syncFileSystem } from '../native/index.js'
import { type ChainId, chainIds, type DiffId, parsePlatform } from '../oci/index.js'
import { type Scratch, StepCache } from './cache/records.js'
import { type BuildContext, type ContextSource, openContext } from './context.js'
import { BuildError } from './error.js'
import { finishImage } from './finish.js'
import { type Origin, StageGraph } from './graph.js'
import type { BuildOptions, BuildResult } from './options.js'
import { buildStage, type Counter } from './stage.js'
import { imageState, keyOf, type StageState, scratchState } from './state.js'
import type { BaseImage, BuilderParts, HashedLayer } from './types.js'
import { globalArguments, platformArguments } from './variables.js'
import { pathsOf, type Work } from './work.js'

/** Builds images from Dockerfiles on one data root. */
export class Builder {
  readonly cache: StepCache
  readonly #parts: BuilderParts
  #swept: Promise<void> | undefined

  constructor(parts: BuilderParts) {
    this.#parts = parts
    this.cache = new StepCache(parts.root, (chainId) => parts.images.layerPath(chainId as ChainId))
  }

  /**
   * @throws BuildError, DockerfileError with the place in the Dockerfile; JubakoError
   */
  async build(options: BuildOptions): Promise<BuildResult> {
    // What killed builds left goes before the first of this one's.
    this.#swept ??= this.cache.sweep()
    await this.#swept
    return new Build(this.#parts, this.cache, options).run()
  }

  /** The build checks alone: nothing is built. */
  async check(options: BuildOptions): Promise<{ dockerfile: Dockerfile; warnings: CheckWarning[]; failing: boolean }> {
    const build = new Build(this.#parts, this.cache, options)
    return build.check()
  }
}

class Build {
  readonly #parts: BuilderParts
  readonly #cache: StepCache
  readonly #options: BuildOptions
  readonly #stop = new AbortController()
  readonly #platform: string
  readonly #counter: Counter = { steps: 0, cached: 0 }
  readonly #states = new Map<number, Promise<StageState>>()
  readonly #images = new Map<string, Promise<BaseImage>>()
  readonly #opened: BuildContext[] = []
  readonly #named = new Map<string, Promise<BuildContext>>()
  #scratch!: Scratch
  #work!: Work
  #graph!: StageGraph
  #globals = new Map<string, string | undefined>()
  #source = ''
  /** From outside, or by the time limit. */
  #canceled = false
  #warnings: CheckWarning[] = []

  constructor(parts: BuilderParts, cache: StepCache, options: BuildOptions) {
    this.#parts = parts
    this.#cache = cache
    this.#options = options
    this.#platform = options.platform ?? parts.platform
  }

  async run(): Promise<BuildResult> {
    const { signal, timeout } = this.#options
    const cancel = (reason: unknown) => {
      this.#canceled = !this.#stop.signal.aborted
      this.#stop.abort(reason)
    }
    const abort = () => cancel(signal?.reason)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(
            () => cancel(new JubakoError('ERR_JUBAKO_ABORTED', `the build took longer than ${timeout / 1000} s`)),
            timeout,
          )
    this.#cache.prepare()
    this.#scratch = this.#cache.scratch()
    const use = this.#cache.use()
    let kept = false
    try {
      const dockerfile = await this.#prepare(use)
      const state = await this.#solve(dockerfile)
      const imageId = this.#options.noImage ? undefined : await this.#finish(state)
      const layers = pathsOf(this.#work, state)
      kept = this.#options.noImage === true
      return {
        imageId,
        layers,
        warnings: this.#warnings,
        cachedSteps: this.#counter.cached,
        steps: this.#counter.steps,
        release: async () => {
          if (kept) use.release()
          kept = false
        },
      }
    } catch (error) {
      if ((error as BuildError).failed?.kept !== undefined) {
        kept = true
        throw this.#placed(error)
      }
      throw this.#stop.signal.aborted ? this.#aborted() : this.#placed(error)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      this.#stop.abort()
      await Promise.allSettled(this.#states.values())
      await Promise.allSettled(this.#work === undefined ? [] : [...this.#work.hashing.values()])
      await Promise.all(this.#opened.map((context) => context.close()))
      if (!kept) use.release()
      if (!kept || this.#options.noImage) await this.#scratch.remove()
    }
  }

  async check(): Promise<{ dockerfile: Dockerfile; warnings: CheckWarning[]; failing: boolean }> {
    this.#cache.prepare()
    this.#scratch = this.#cache.scratch()
    try {
      const { context, text } = await this.#open()
      const dockerfile = this.#parse(text)
      const failing = this.#check(dockerfile, context)
      return { dockerfile, warnings: this.#warnings, failing }
    } catch (error) {
      throw this.#placed(error)
    } finally {
      await Promise.all(this.#opened.map((context) => context.close()))
      await this.#scratch.remove()
    }
  }

  async #prepare(use: ReturnType<StepCache['use']>): Promise<Dockerfile> {
    const { options } = { options: this.#options }
    const { context, text } = await this.#open()
    const dockerfile = this.#parse(text)
    const failing = this.#check(dockerfile, context)
    for (const warning of this.#warnings) options.onProgress?.({ type: 'warning', warning })
    if (failing && this.#warnings.length > 0) {
      throw new BuildError(
        'ERR_JUBAKO_BUILD',
        'lint violation found for rules: ' + [...new Set(this.#warnings.map(({ rule }) => rule))].join(', '),
        {
          location: this.#warnings[0]!.location,
          source: this.#source,
        },
      )
    }
    const args = options.args ?? {}
    const epoch = args.SOURCE_DATE_EPOCH
    if (epoch !== undefined && epoch !== '' && !/^\d+$/.test(epoch)) {
      throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', `invalid SOURCE_DATE_EPOCH: ${epoch}`, {
        hint: 'seconds since 1970',
      })
    }
    this.#work = {
      parts: this.#parts,
      cache: this.#cache,
      use,
      scratch: this.#scratch,
      context,
      secrets: Object.fromEntries(
        Object.entries(options.secrets ?? {}).map(([id, value]) => [id, Buffer.from(value as Uint8Array)]),
      ),
      ssh: options.ssh ?? {},
      limits: options.limits ?? {},
      epoch: epoch === undefined || epoch === '' ? undefined : Number(epoch),
      allowInsecure: options.allowInsecure ?? false,
      keepFailed: options.onError === 'keep',
      mountNamespace: args.BUILDKIT_CACHE_MOUNT_NS === undefined ? '' : `${args.BUILDKIT_CACHE_MOUNT_NS}/`,
      hostname: args.BUILDKIT_SANDBOX_HOSTNAME ?? 'buildkitsandbox',
      signal: this.#stop.signal,
      emit: (event) => options.onProgress?.(event),
      open: (from, user) => this.#openFrom(from, user),
      fresh: [],
      hashing: new Map(),
      failed: undefined,
    }
    return dockerfile
  }

  /** The context and the Dockerfile's text. */
  async #open(): Promise<{ context: BuildContext; text: string }> {
    const { context: source = { files: {} }, dockerfile = 'Dockerfile', dockerfileText, ignore } = this.#options
    const opened = await openContext(source, this.#parts, this.#scratch, this.#stop.signal)
    const { context } = opened
    this.#opened.push(context)
    const given = dockerfileText ?? opened.dockerfile
    if (ignore !== undefined) context.setIgnores(ignore)
    else await context.readIgnores(given === undefined ? dockerfile : undefined)
    if (given !== undefined) return { context, text: given }
    const file = await context.session.read(dockerfile)
    if (file !== undefined) return { context, text: file.toString('utf8') }
    const near = dockerfile === 'Dockerfile' ? ' (did you mean to name it with -f?)' : ''
    throw new JubakoError(
      'ERR_JUBAKO_NOT_FOUND',
      `failed to read dockerfile: open ${dockerfile}: no such file or directory${near}`,
      {
        path: dockerfile,
        hint: 'name the Dockerfile with -f',
      },
    )
  }

  #parse(text: string): Dockerfile {
    this.#source = text
    return parseDockerfile(text)
  }

  #predefined(stage: string): Record<string, string> {
    const target = parsePlatform(this.#platform)
    const text = [target.os, target.architecture, ...(target.variant ? [target.variant] : [])].join('/')
    return platformArguments(this.#parts.platform, text, stage)
  }

  /** @returns whether findings are errors */
  #check(dockerfile: Dockerfile, context: BuildContext): boolean {
    const { args = {} } = this.#options
    const directive =
      args.BUILDKIT_DOCKERFILE_CHECK ?? dockerfile.directives.find(({ name }) => name === 'check')?.value ?? ''
    const config = parseCheckConfig(directive)
    this.#warnings = checkDockerfile(dockerfile, {
      config,
      buildArgs: args,
      predefined: this.#predefined(this.#options.target ?? 'default'),
      ignored: (path) => context.ignored(path),
    })
    return config.error
  }

  async #solve(dockerfile: Dockerfile): Promise<StageState> {
    const args = this.#options.args ?? {}
    const predefined = this.#predefined(this.#options.target ?? 'default')
    this.#globals = globalArguments(dockerfile, args, predefined)
    const get = (name: string) => this.#globals.get(name) ?? predefined[name]
    this.#graph = new StageGraph(dockerfile, get, new Set(Object.keys(this.#options.contexts ?? {})))
    const target = this.#graph.target(this.#options.target)
    // All that is needed begins now; each stage waits for those it stands on.
    for (const index of this.#graph.needed(target)) void this.#stage(index).catch((error) => this.#stop.abort(error))
    return this.#stage(target)
  }

  #stage(index: number): Promise<StageState> {
    let state = this.#states.get(index)
    if (state === undefined) {
      state = this.#buildStage(index)
      this.#states.set(index, state)
    }
    return state
  }

  async #buildStage(index: number): Promise<StageState> {
    const { dockerfile } = this.#graph
    const stage = dockerfile.stages[index]!
    const { noCache = false, noCacheFilter = [] } = this.#options
    const base = this.#graph.base(index)
    const single = dockerfile.stages.length === 1
    return buildStage(
      {
        stage,
        dockerfile,
        base: await this.#baseState(base, stage.from, index),
        fromScratch: base === 'scratch',
        args: this.#options.args ?? {},
        globals: this.#globals,
        predefined: this.#predefined(stage.name),
        noCache: noCache || noCacheFilter.some((name) => name.toLowerCase() === stage.name || name === String(index)),
        label: single ? '' : this.#graph.name(stage),
      },
      this.#work,
      this.#counter,
    )
  }

  async #baseState(
    origin: Origin | 'scratch',
    from: Instruction & { platform?: string | undefined },
    index: number,
  ): Promise<StageState> {
    const seed = this.#work.epoch === undefined ? '' : String(this.#work.epoch)
    const get = (name: string) => this.#globals.get(name) ?? this.#predefined('')[name]
    if (origin === 'scratch') return scratchState(parsePlatform(this.#platform), seed)
    if (origin.kind === 'stage') return this.#stage(origin.index)
    if (origin.kind === 'context') {
      const source = this.#options.contexts![origin.name]!
      if (typeof source === 'string' && source.startsWith('docker-image://')) {
        return imageState(await this.#image(source.slice('docker-image://'.length), undefined, from), seed)
      }
      throw new DockerfileError(`context "${origin.name}" is no image: a stage cannot begin with it`, from.location)
    }
    let platform = from.platform
    if (platform !== undefined) {
      const { expandAt } = await import('./variables.js')
      platform = expandAt(platform, get, from.location, this.#graph.dockerfile.escape)
    }
    void index
    return imageState(await this.#image(origin.reference, platform ?? this.#options.platform, from), seed)
  }

  #image(reference: string, platform: string | undefined, instruction: Instruction): Promise<BaseImage> {
    const key = `${platform ?? ''} ${reference}`
    let image = this.#images.get(key)
    if (image === undefined) {
      const step = keyOf('vertex', 'image', key).slice(0, 32)
      const { now } = this.#parts
      this.#work.emit({ type: 'start', step, name: `[internal] load metadata for ${reference}`, time: now() })
      image = this.#parts.images
        .resolve(reference, {
          pull: this.#options.pull ?? false,
          platform,
          auth: this.#options.auth,
          signal: this.#stop.signal,
        })
        .then(
          (found) => {
            this.#work.emit({ type: 'end', step, time: now() })
            return found
          },
          (error: unknown) => {
            const message = error instanceof Error ? error.message : String(error)
            this.#work.emit({ type: 'end', step, time: now(), error: message })
            if (!(error instanceof JubakoError) || this.#stop.signal.aborted) throw error
            const stages = this.#graph.dockerfile.stages.map(({ name }) => name).filter((name) => name !== '')
            const code = error.code
            throw new BuildError(
              code,
              `${reference}: failed to resolve source metadata: ${error.message}${didYouMean(reference, stages)}`,
              { location: instruction.location, source: this.#source },
              { cause: error, hint: error.hint },
            )
          },
        )
      this.#images.set(key, image)
    }
    return image
  }

  async #openFrom(
    from: string,
    user: { stage: number; instruction: Instruction },
  ): Promise<{ layers: string[]; key: string }> {
    const origin = this.#graph.origin(from, user.stage, user.instruction)
    if (origin.kind === 'stage') {
      if (origin.index === user.stage) {
        throw new DockerfileError(`circular dependency detected on stage: ${from}`, user.instruction.location)
      }
      const state = await this.#stage(origin.index)
      return { layers: pathsOf(this.#work, state), key: state.key }
    }
    if (origin.kind === 'image') {
      const image = await this.#image(origin.reference, this.#options.platform, user.instruction)
      return { layers: [...image.layers], key: keyOf('image', image.id) }
    }
    const source = this.#options.contexts![origin.name]!
    if (typeof source === 'string' && source.startsWith('docker-image://')) {
      const image = await this.#image(source.slice('docker-image://'.length), undefined, user.instruction)
      return { layers: [...image.layers], key: keyOf('image', image.id) }
    }
    const context = await this.#namedContext(origin.name, source)
    const { digest } = await context.session.act({
      act: 'digest',
      sources: [''],
      ignores: context.ignores,
      noOwner: true,
    })
    return { layers: [context.path], key: keyOf('context', digest) }
  }

  #namedContext(name: string, source: ContextSource): Promise<BuildContext> {
    let context = this.#named.get(name)
    if (context === undefined) {
      context = openContext(source, this.#parts, this.#scratch, this.#stop.signal).then(async (opened) => {
        this.#opened.push(opened.context)
        await opened.context.readIgnores(undefined)
        return opened.context
      })
      this.#named.set(name, context)
    }
    return context
  }

  async #finish(state: StageState): Promise<string> {
    const { labels = {}, tags = [] } = this.#options
    const step = keyOf('vertex', 'export').slice(0, 32)
    const { now } = this.#parts
    this.#work.emit({ type: 'start', step, name: 'exporting to image', time: now() })
    const imageId = await finishImage(state, { labels, tags }, this.#work)
    await this.#settle(state)
    const say = (text: string) =>
      this.#work.emit({ type: 'output', step, stream: 'stdout', data: Buffer.from(`${text}\n`), time: now() })
    say(`writing image ${imageId}`)
    for (const tag of tags) say(`naming to ${tag}`)
    this.#work.emit({ type: 'end', step, time: now() })
    return imageId
  }

  /** What the image holds now is on the disk: the records may say so. */
  async #settle(state: StageState): Promise<void> {
    if (this.#work.fresh.length === 0) return
    const diffIds = await Promise.all(state.layers.map(async ({ hashed }) => (await hashed).diffId as DiffId))
    const chain = chainIds(diffIds)
    const places = new Map(
      state.layers.flatMap((layer, i) => (layer.kind === 'step' ? [[layer.record.layer, i] as const] : [])),
    )
    const hashed = new Map<string, HashedLayer>()
    for (const layer of state.layers) if (layer.kind === 'step') hashed.set(layer.record.layer, await layer.hashed)
    for (const record of this.#work.fresh) {
      const place = places.get(record.layer)
      if (place === undefined) continue
      record.chainId = chain[place]!
      record.hashed = hashed.get(record.layer)!
    }
    await syncFileSystem(this.#cache.steps)
    this.#cache.settle(this.#work.fresh)
  }

  #aborted(): unknown {
    const reason: unknown = this.#stop.signal.reason
    // The first stage that failed stopped the others.
    if (!this.#canceled) return this.#placed(reason)
    if (isJubakoError(reason)) return reason
    return new JubakoError('ERR_JUBAKO_ABORTED', 'the build was canceled', { cause: reason })
  }

  /** Adds the lines of the Dockerfile to an error that has a place in it. */
  #placed(error: unknown): unknown {
    if (error instanceof BuildError && error.excerpt !== undefined) return error
    const { location } = error as { location?: BuildError['location'] }
    if (location === undefined || !isJubakoError(error)) return error
    const failed = error instanceof BuildError ? error.failed : undefined
    const file = this.#options.dockerfile ?? 'Dockerfile'
    return new BuildError(
      error.code,
      error.message,
      { location, source: this.#source, file, ...(failed && { failed }) },
      { hint: error.hint, cause: error.cause },
    )
  }
}
