import type { Engine } from '../engine/engine.js'
import type { Allow } from '../engine/serve-types.js'
import type { Container } from '../engine/types.js'
import { hasLabels } from './allow.js'
import { ApiError } from './errors.js'
import { Execs } from './execs.js'
import { Starts } from './starts.js'

/** The engine and what its API remembers between requests: nothing of it is needed after the API ends. */
export class Resident {
  readonly execs = new Execs()
  readonly starts: Starts

  constructor(
    readonly engine: Engine,
    readonly allow?: Allow,
  ) {
    this.starts = new Starts(engine)
  }

  /**
   * A container that the clients of this socket may see.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND
   */
  async container(nameOrId: string): Promise<Container> {
    const container = await this.engine.container(nameOrId)
    const { labels } = this.allow ?? {}
    if (labels !== undefined && !hasLabels((await container.summary()).labels, labels)) {
      throw new ApiError(404, `No such container: ${nameOrId}`)
    }
    return container
  }

  close(): void {
    this.starts.close()
  }
}
