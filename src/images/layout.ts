import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type ChainId, digestHex, digestOf, type ImageId } from '../oci/index.js'

/** Where an image store keeps its things below the data root. Pure, except for the constructor. */
export class Layout {
  readonly root: string
  /** One JSON file per reference and one per image. */
  readonly images: string
  readonly layers: string
  /** Frozen writable layers, one directory per key. */
  readonly snapshots: string
  /** What is being made; shared with the content store. */
  readonly ingest: string
  readonly leases: string
  /** Renamed here first, deleted afterwards. */
  readonly trash: string

  /** Makes the directories, readable by root only: images have set-user-ID files. */
  constructor(root: string) {
    this.root = root
    this.images = join(root, 'images')
    this.layers = join(root, 'layers')
    this.snapshots = join(root, 'snapshots')
    this.ingest = join(root, 'ingest')
    this.leases = join(root, 'leases')
    this.trash = join(root, 'trash')
    for (const path of [root, this.images, this.layers, this.snapshots, this.ingest, this.leases, this.trash]) {
      mkdirSync(path, { recursive: true, mode: 0o700 })
    }
  }

  /** Held shared while something new is put under protection, exclusively by a collection. */
  get collectLock(): string {
    return join(this.leases, 'collect.lock')
  }

  layerPath(chainId: ChainId): string {
    return join(this.layers, digestHex(chainId))
  }

  diffPath(chainId: ChainId): string {
    return join(this.layers, digestHex(chainId), 'diff')
  }

  referencePath(reference: string): string {
    return join(this.images, referenceFileName(reference))
  }

  imagePath(id: ImageId): string {
    return join(this.images, `${id}.json`)
  }
}

const NAME_LIMIT = 240

/** `/` becomes `~`, which no reference contains. Names too long for a file are hashed; the file tells the reference. */
export function referenceFileName(reference: string): string {
  const name = `${reference.replaceAll('/', '~')}.json`
  return name.length <= NAME_LIMIT ? name : `~${digestHex(digestOf(reference))}.json`
}

/** Image records are named by ID; everything else that ends so is a reference. */
export function isImageFile(name: string): boolean {
  return /^sha(256|512):[a-f0-9]+\.json$/.test(name)
}
