import {
  type CheckWarning,
  checkDockerfile,
  type Dockerfile,
  parseCheckConfig,
  parseDockerfile,
} from '../dockerfile/index.js'
import { isJubakoError, JubakoError } from '../errors/index.js'
import { type ChainId, parsePlatform } from '../oci/index.js'
import { type Scratch, StepCache } from './cache/records.js'
import { type BuildContext, openContext } from './context.js'
import { BuildError } from './error.js'
import { exportCaches, importCaches } from './exchange/session.js'
import { exportImage } from './finish.js'
import { StageGraph } from './graph.js'
import { Inputs } from './inputs.js'
import type { BuildOptions, BuildResult } from './options.js'
import { type Outline, outlineOf } from './outline.js'
import { buildStage, type Counter } from './stage.js'
import type { StageState } from './state.js'
import type { BuildEvent, BuilderParts } from './types.js'
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

  /** What the target can be given: nothing is built. */
  async outline(options: BuildOptions): Promise<Outline> {
    return new Build(this.#parts, this.cache, options).outline()
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
  readonly #opened: BuildContext[] = []
  #inputs!: Inputs
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
      const imageId = this.#options.noImage ? undefined : await exportImage(state, this.#options, this.#work)
      await exportCaches(state, this.#options, this.#work)
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

  check(): Promise<{ dockerfile: Dockerfile; warnings: CheckWarning[]; failing: boolean }> {
    return this.#read((dockerfile, context) => {
      const failing = this.#check(dockerfile, context)
      return { dockerfile, warnings: this.#warnings, failing }
    })
  }

  outline(): Promise<Outline> {
    return this.#read((dockerfile) =>
      outlineOf(dockerfile, this.#options, this.#predefined(this.#options.target ?? 'default')),
    )
  }

  /** Asks something of the Dockerfile alone. */
  async #read<T>(ask: (dockerfile: Dockerfile, context: BuildContext) => T): Promise<T> {
    this.#cache.prepare()
    this.#scratch = this.#cache.scratch()
    try {
      const { context, text } = await this.#open()
      return ask(this.#parse(text), context)
    } catch (error) {
      throw this.#placed(error)
    } finally {
      await Promise.all(this.#opened.map((context) => context.close()))
      await this.#scratch.remove()
    }
  }

  async #prepare(use: ReturnType<StepCache['use']>): Promise<Dockerfile> {
    const options = this.#options
    const emit = (event: BuildEvent) => options.onProgress?.(event)
    const { context, text } = await this.#open()
    const dockerfile = this.#parse(text)
    const failing = this.#check(dockerfile, context)
    for (const warning of this.#warnings) options.onProgress?.({ type: 'warning', warning })
    if (failing && this.#warnings.length > 0) {
      throw new BuildError(
        'ERR_JUBAKO_BUILD',
        `lint violation found for rules: ${[...new Set(this.#warnings.map(({ rule }) => rule))].join(', ')}`,
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
      allowSecretsInLayers: options.allowSecretsInLayers ?? false,
      keepFailed: options.onError === 'keep',
      mountNamespace: args.BUILDKIT_CACHE_MOUNT_NS === undefined ? '' : `${args.BUILDKIT_CACHE_MOUNT_NS}/`,
      hostname: args.BUILDKIT_SANDBOX_HOSTNAME ?? 'buildkitsandbox',
      signal: this.#stop.signal,
      emit,
      open: (from, user) => this.#inputs.open(from, user),
      fresh: [],
      used: new Map(),
      hashing: new Map(),
      foreign: importCaches(options, this.#parts, this.#cache, this.#scratch, this.#stop.signal, emit),
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
    this.#inputs = new Inputs(this.#options, this.#work, this.#graph, (index) => this.#stage(index), this.#opened)
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

  #baseSettings() {
    const predefined = this.#predefined('')
    return { platform: this.#platform, get: (name: string) => this.#globals.get(name) ?? predefined[name] }
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
        base: await this.#inputs.base(base, stage.from, this.#baseSettings()),
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
