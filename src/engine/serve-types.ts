/** What a socket lets its clients do. */
export interface Allow {
  /**
   * Names of operations in Docker's API description (`ContainerList`, `ContainerStart`, ...), or `read` for everything
   * that changes nothing. Default: all. `SystemPing` and `SystemVersion` are always allowed.
   */
  operations?: readonly string[]
  /**
   * Only containers, volumes and networks (the predefined ones aside) with these labels exist for the clients; what they
   * create gets them. Images are shared. Whoever may create containers can reach the whole machine all the same: limit `operations` too.
   */
  labels?: Readonly<Record<string, string>>
  /** Clients are not shown {@link labels}: some compare what they asked for with what they find. Default false. */
  hideLabels?: boolean
}

/** Where the Docker Engine API listens. */
export type ServeAddress =
  /** A unix socket: its path, mode (default 0o660) and group (name or number; default: root's). */
  | { socket: string; mode?: number; group?: string | number }
  /** TCP, only for clients with a certificate of `ca`. Paths of PEM files. Port 0: any that is free. */
  | { host: string; port: number; tls: { ca: string; cert: string; key: string } }
  /** A listening socket that somebody else made, for example systemd: its descriptor. */
  | { fd: number }

export interface ServeOptions {
  listen: readonly ServeAddress[]
  /** Limits what clients may do. Default: everything. */
  allow?: Allow
}

/** The running API. */
export interface ApiServer {
  /** `unix:///path`, `tcp://host:port` or `fd://number`. */
  readonly addresses: readonly string[]
  /** Ends all connections; containers go on. Sockets that were made are removed. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
