import type { Engine } from '../engine/engine.js'
import type { NetworkHandle } from '../engine/network-types.js'
import type { Allow } from '../engine/serve-types.js'
import type { Container } from '../engine/types.js'
import type { Volume } from '../engine/volume-types.js'
import { hasLabels, ownLabels, withoutLabels } from './allow.js'
import { ApiError } from './errors.js'
import { Execs } from './execs.js'
import { Starts } from './starts.js'

type Labels = Readonly<Record<string, string>>
type Shape = Record<string, unknown>

const PREDEFINED = new Set(['bridge', 'host', 'none'])

/** The engine and what its API remembers between requests: nothing of it is needed after the API ends. */
export class Resident {
  readonly execs = new Execs()
  readonly starts: Starts
  /** Labels of all that the clients of this socket see and make; empty without a limit. */
  readonly labels: Labels

  constructor(
    readonly engine: Engine,
    readonly allow?: Allow,
  ) {
    this.starts = new Starts(engine)
    this.labels = allow?.labels ?? {}
  }

  /** Whether something with these labels exists for the clients of this socket. */
  sees(labels: Labels): boolean {
    return hasLabels(labels, this.labels)
  }

  seesNetwork({ name, labels }: { name: string; labels: Labels }): boolean {
    return PREDEFINED.has(name) || this.sees(labels)
  }

  /**
   * A container that the clients of this socket may see.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND
   */
  async container(nameOrId: string): Promise<Container> {
    const container = await this.engine.container(nameOrId)
    if (this.allow?.labels !== undefined && !this.sees((await container.summary()).labels)) {
      throw new ApiError(404, `No such container: ${nameOrId}`)
    }
    return container
  }

  /** @throws JubakoError ERR_JUBAKO_NOT_FOUND */
  async network(nameOrId: string): Promise<{ network: NetworkHandle; shape: Shape }> {
    const network = await this.engine.networks.get(nameOrId)
    const shape = await network.inspect()
    if (!this.seesNetwork({ name: network.name, labels: (shape.Labels as Labels | null) ?? {} })) {
      throw new ApiError(404, `network ${nameOrId} not found`)
    }
    return { network, shape: this.shown(shape) }
  }

  /** @throws JubakoError ERR_JUBAKO_NOT_FOUND */
  async volume(name: string): Promise<{ volume: Volume; shape: Shape }> {
    const volume = await this.engine.volumes.get(name)
    const shape = await volume.inspect()
    if (!this.sees((shape.Labels as Labels | null) ?? {})) throw new ApiError(404, `get ${name}: no such volume`)
    return { volume, shape: this.shown(shape) }
  }

  /** Whether the clients do not see this socket's labels. */
  get hidesLabels(): boolean {
    return this.allow?.hideLabels === true
  }

  /** Labels as the clients see them. */
  shownLabels(labels: Labels): Labels {
    return this.hidesLabels ? withoutLabels(labels, this.labels) : labels
  }

  /** An object with `Labels` as the clients see it. */
  shown<T extends Shape>(shape: T): T {
    if (!this.hidesLabels || !shape.Labels) return shape
    return { ...shape, Labels: withoutLabels(shape.Labels as Labels, this.labels) }
  }

  /** What of a filter for labels is this socket's. */
  get labelFilters(): string[] {
    return ownLabels(this.labels)
  }

  close(): void {
    this.starts.close()
  }
}
