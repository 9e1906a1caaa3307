/** Something that happened to an object of the engine; Docker's types, actions and attributes. */
export interface EngineEvent {
  /** `container`, `image`, `volume`, `network`, `builder` or `daemon`. */
  type: string
  /** For example `start`, `die`, `health_status: healthy`, `exec_create: ls -l`. */
  action: string
  actor: {
    /** The container's or network's ID, the volume's name, the image's ID or reference. */
    id: string
    attributes: Record<string, string>
  }
  /** Nanoseconds since the epoch. */
  timeNano: bigint
}

export interface EventOptions {
  /** Milliseconds (number) or nanoseconds (bigint) since the epoch. Default: from now on, or with `until` from the oldest known. */
  since?: number | bigint
  /** The events end here. Default: they do not. */
  until?: number | bigint
  /**
   * Docker's: `type`, `event`, `container`, `image`, `volume`, `network`, `label`, `daemon`, `scope`, .... Values of one name
   * are alternatives, names together are conditions.
   */
  filters?: Record<string, readonly string[]>
  signal?: AbortSignal
}
