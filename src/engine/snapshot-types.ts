/** A frozen writable layer of a container: what its files were then. */
export interface Snapshot {
  /** 32 hexadecimal digits. */
  key: string
  /** null: it has none. */
  name: string | null
  /** Milliseconds since the epoch. */
  createdAt: number
  /** Image of the container, as it was named. */
  image: string
  imageId: string
}

export interface SnapshotOptions {
  /** A name by which it is found again; unique. Default: none. */
  name?: string
}

/** Snapshots of containers: each is the base of any number of containers. */
export interface SnapshotApi {
  /** Oldest first. */
  list(): Promise<Snapshot[]>
  /**
   * By name, key or unique beginning of a key.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND
   */
  get(nameOrKey: string): Promise<Snapshot>
  /**
   * Takes a snapshot off the list. What containers and images made from it need stays as long as they do.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND
   */
  remove(nameOrKey: string): Promise<void>
}

export interface CommitOptions {
  /** Name of the image, with or without a tag. Default: none. */
  reference?: string
  author?: string
  message?: string
  /** Dockerfile instructions that change the configuration, for example `CMD ["sh"]`. */
  changes?: readonly string[]
  /** Whether a running container stands still while its layer is copied. Default true. */
  pause?: boolean
  signal?: AbortSignal
}

export interface CommittedImage {
  imageId: string
  /** Canonical; null for an image without a name. */
  reference: string | null
}
