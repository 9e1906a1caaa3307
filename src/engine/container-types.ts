import type { Readable } from 'node:stream'

/** One path of a container's root file system that is not as its image has it. */
export interface Change {
  kind: 'modified' | 'added' | 'deleted'
  /** Absolute, as the container sees it. */
  path: string
}

/** The processes of a container as ps(1) shows them. */
export interface ProcessTable {
  titles: string[]
  /** One list of cells for each process. */
  processes: string[][]
}

/** What is at a path in a container, as lstat(2) has it. */
export interface PathStat {
  /** Last component of the path. */
  name: string
  /** Bytes. */
  size: number
  /** st_mode: kind and permissions. */
  mode: number
  /** Nanoseconds since the epoch. */
  mtimeNano: bigint
  /** Where a symbolic link leads in the end, absolute in the container; empty unless it is one. */
  linkTarget: string
}

export interface CopyOutOptions {
  /** Whether a symbolic link at the end of the path is followed. Default: only with a slash, or `/.`, at its end. */
  follow?: boolean
  /** Name in the archive. Default: the last component of the path; `.` for a path that ends with `/.`. */
  name?: string
  signal?: AbortSignal
}

export interface CopyInOptions {
  /** Default false: a directory does not give way to something else, nor something else to a directory. */
  overwriteKinds?: boolean
  /** Owners as the archive has them. Default true; false: everything belongs to root. */
  owners?: boolean
  signal?: AbortSignal
}

export interface WriteFileOptions {
  /** Permissions. Default 0o644. */
  mode?: number
  /** Owner. Default 0. */
  uid?: number
  gid?: number
  /** Default: now. */
  mtime?: Date
  /** Directories on the way that are missing are made. Default false: they are an error. */
  parents?: boolean
}

/** A name in a directory. A symbolic link is listed as such. */
export interface FileEntry {
  name: string
  /** Bytes. */
  size: number
  /** st_mode: kind and permissions. */
  mode: number
  /** Nanoseconds since the epoch. */
  mtimeNano: bigint
}

/** Files by their paths; paths are those of the container or volume, and so are the links on their way. */
export interface Files {
  /**
   * The content of a file.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND; EISDIR, EINVAL for what is no regular file
   */
  read(path: string): Promise<Buffer>
  read(path: string, encoding: BufferEncoding): Promise<string>
  /**
   * Makes a file, or a new one in its place: also in that of a symbolic link.
   *
   * @param data text is written as UTF-8
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND for a directory that is missing; ERR_JUBAKO_STATE when the root is read-only
   */
  write(path: string, data: string | Uint8Array, options?: WriteFileOptions): Promise<void>
  /**
   * What is in a directory, in the order of the names' bytes.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND; ENOTDIR
   */
  list(path: string): Promise<FileEntry[]>
}

/** Where files come from or go to on the host: a directory, and a path in it. */
export interface HostPlace {
  /** Absolute; links on the way are followed. */
  directory: string
  /** Default: the directory itself. */
  path?: string
}

/** The files of a container, whether it runs or not. Paths are the container's own, and so are the links on their way. */
export interface ContainerFiles extends Files {
  /** @throws JubakoError ERR_JUBAKO_NOT_FOUND */
  stat(path: string): Promise<PathStat>
  /**
   * A tar stream of what is at a path.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND; a later failure is the stream's
   */
  copyOut(path: string, options?: CopyOutOptions): Promise<{ stat: PathStat; stream: Readable }>
  /**
   * Unpacks a tar stream, plain or compressed with gzip or zstd, in a directory.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND; ERR_JUBAKO_STATE when the root is read-only; ERR_JUBAKO_INTEGRITY, ...
   */
  copyIn(directory: string, archive: Readable, options?: CopyInOptions): Promise<void>
  /** As {@link copyOut} and unpacking on the host, without a byte passing through this process. Gives the archive's size. */
  copyToHost(path: string, to: HostPlace, options: CopyOutOptions & CopyInOptions): Promise<number>
  /** The other way round. */
  copyFromHost(from: HostPlace, directory: string, options: CopyOutOptions & CopyInOptions): Promise<number>
  /** A tar stream of the whole root file system, without what is mounted in it. */
  export(options?: { signal?: AbortSignal }): Promise<Readable>
}
