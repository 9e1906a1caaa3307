import type { ChainId, ContainerConfig, DiffId, Digest, ImageConfig, ImageId, Platform } from '../oci/index.js'
import type { CredentialProvider, Credentials } from '../registry/index.js'

/** Progress of a pull or load. Structurally the engine's `ProgressEvent`. */
export interface ProgressEvent {
  /** Short layer digest (12 hex digits), or empty for a line about the whole. */
  id: string
  /** Docker's words: `Pulling fs layer`, `Downloading`, `Verifying Checksum`, `Extracting`, `Pull complete`, `Already exists`, ... */
  status: string
  /** Bytes. */
  current?: number
  total?: number
}

export type OnProgress = (event: ProgressEvent) => void

/** Unpacks layers. Implemented by `src/archive`; handed in by the engine. */
export interface LayerUnpacker {
  /**
   * Unpacks one layer into an empty directory. Nothing outside of it may change, whatever the layer holds. Whiteouts
   * become overlay's.
   *
   * @throws JubakoError; the directory is then in any state
   */
  unpack(request: UnpackRequest): Promise<UnpackedLayer>
}

export interface UnpackRequest {
  /** Open at the layer's first byte; a file or a pipe. Compressed or not: the first bytes tell. Stays the caller's. */
  fd: number
  /** Bytes that `fd` holds. */
  size: number
  /** `fd` is a file that is still being written: how much of it is there. */
  growth?: { readonly bytes: number; follow(listener: ((bytes: number) => void) | undefined): void } | undefined
  /** Absolute path of the directory, made by the caller. */
  target: string
  /** Bytes of `fd` read so far. */
  onProgress?: (bytesRead: number) => void
  signal?: AbortSignal | undefined
}

export interface UnpackedLayer {
  /** sha256 of the tar stream. */
  diffId: string
  /** Bytes of all files. */
  size: number
  entries: number
  /**
   * Directories, relative to the target, that had to be made without an entry of their own; parents before children.
   * The target itself is `.`.
   */
  implicitDirectories: string[]
}

/** Makes layers' tar streams. Implemented by `src/archive`; handed in by the engine. */
export interface LayerPacker {
  /**
   * The canonical stream of a directory that nothing changes meanwhile: always the same for the same files.
   *
   * @throws JubakoError for what no layer can hold
   */
  pack(request: PackRequest): Promise<PackedLayer>
}

export interface PackRequest {
  /** Absolute path. */
  directory: string
  /** Default false: what changes meanwhile is a failure. */
  tolerant?: boolean
  /** Gets the stream; without it only the digest is made. Stays the caller's. */
  output?: number
  /** Of what goes to `output`. */
  compression?: 'none' | 'gzip' | 'zstd'
  level?: number
  signal?: AbortSignal | undefined
}

export interface PackedLayer {
  /** sha256 of the tar stream. */
  diffId: string
  /** Bytes of the tar stream. */
  size: number
  /** sha256 and number of the bytes that went to `output`. */
  digest: string
  written: number
  entries: number
  /** Bytes of all files. */
  fileBytes: number
}

/** A container that needs an image, as the engine tells. */
export interface ImageUser {
  /** Container ID. */
  id: string
  running: boolean
}

/** What the engine's own records keep alive. Asked during every collection. */
export interface ExternalRoots {
  /** Chain IDs of the topmost layers in use. Those below are kept with them. */
  layers: Iterable<ChainId>
  /** Images that may not lose their configuration. */
  images: Iterable<ImageId>
  /** Keys of snapshots in use. Those below are kept with them. */
  snapshots?: Iterable<string>
  /** What a registry on this store has. */
  blobs?: Iterable<Digest>
}

/** An image that can be run. */
export interface ResolvedImage {
  id: ImageId
  /** Canonical reference it was found by; null when found by ID. */
  reference: string | null
  config: ImageConfig
  /** Manifest of this platform. */
  manifest: Digest
  /** Absolute paths of the layers' directories, TOPMOST FIRST: the order of overlay's `lowerdir`. */
  layers: readonly string[]
  /** Lowest first, as in the specification. The last one names the whole stack. */
  chainIds: readonly ChainId[]
  diffIds: readonly DiffId[]
  platform: Platform
}

export type PullPolicy = 'always' | 'missing' | 'never'

export interface OperationOptions {
  onProgress?: OnProgress | undefined
  signal?: AbortSignal | undefined
}

export interface PullOptions extends RegistryCallOptions {
  /** `os/arch[/variant]`. Default: this host's. */
  platform?: string | Platform | undefined
}

export interface RegistryCallOptions extends OperationOptions {
  /** Credentials for this call alone, instead of what the store was opened with. */
  auth?: Credentials | CredentialProvider | undefined
}

export interface PushOptions extends RegistryCallOptions {
  /** Every tag of the repository. */
  allTags?: boolean | undefined
  /** Only the manifest of this platform, `os/arch[/variant]`. */
  platform?: string | Platform | undefined
}

export interface PushedImage {
  /** Canonical. */
  reference: string
  /** What the name stands for in the registry now: a manifest or an index. */
  digest: Digest
  /** Bytes of that document. */
  size: number
}

export interface PullResult {
  /** Canonical. */
  reference: string
  /** What the registry gave for the reference: a manifest or an index. */
  digest: Digest
  imageId: ImageId
  /** False when the image was there and up to date. */
  updated: boolean
}

export interface LoadedImage {
  /** Canonical references given to the image; empty for an untagged one. */
  references: string[]
  imageId: ImageId
}

export interface ImageSummary {
  id: ImageId
  /** Familiar names with tags. */
  tags: string[]
  /** `name@sha256:...`, familiar. */
  digests: string[]
  /** Milliseconds since the epoch. */
  createdAt: number
  /** Bytes of the unpacked layers. */
  size: number
  labels: Record<string, string>
  architecture: string
  os: string
}

/** One platform that the name of an image stands for. */
export interface ImagePlatform {
  /** `os/arch[/variant]`. */
  platform: string
  /** Manifest. */
  digest: Digest
  /** Bytes of the unpacked layers; 0 when it is not here. */
  size: number
  /** Bytes of documents and layers as they are stored. */
  contentSize: number
}

export interface ImageDetails extends ImageSummary {
  /** What its name stands for: index or manifest. */
  target: Digest
  /** Bytes of documents and layers as they are stored. */
  contentSize: number
  /** Whether a container uses it. */
  inUse: boolean
  platforms: ImagePlatform[]
}

export type RemovedImage = { untagged: string } | { deleted: string }

export interface ImportOptions extends OperationOptions {
  /** What the image asks of containers. Default: nothing. */
  config?: ContainerConfig | undefined
  /** Default `Imported from -`. */
  message?: string | undefined
  /** What the image is for, `os/arch[/variant]`. Default: this host's. */
  platform?: string | Platform | undefined
  /** Milliseconds since the epoch. Default: now. */
  createdAt?: number | undefined
}

export interface ImportedImage {
  imageId: ImageId
  /** Canonical; null for an image without a name. */
  reference: string | null
}

export interface PruneImagesOptions {
  /** Every image that no container uses, not only those without a tag. */
  all?: boolean | undefined
  /** Only images for which it returns true. */
  filter?: ((image: ImageSummary) => boolean) | undefined
  signal?: AbortSignal | undefined
}

export interface PrunedImages {
  /** Docker's lines. */
  removed: RemovedImage[]
  /** Bytes: of content as it was stored, of layers as they were unpacked. */
  reclaimed: number
}

export interface SaveOptions {
  /** Only the manifest of this platform, `os/arch[/variant]`. */
  platform?: string | Platform | undefined
  signal?: AbortSignal | undefined
}

export interface RemoveOptions {
  /** Also when a stopped container uses it or several repositories name it. */
  force?: boolean
  /** Which containers use an image. */
  inUse?: (image: ImageId) => ImageUser[]
}
