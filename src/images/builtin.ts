import { readFileSync } from 'node:fs'
import type { ContentStore } from '../content/index.js'
import {
  type Descriptor,
  digestOf,
  formatReference,
  hostPlatform,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_MANIFEST,
  parseReference,
  type Reference,
} from '../oci/index.js'
import type { Lease } from './lease.js'
import { blob } from './lease.js'
import { TAR_END, tarHeader, tarPadding } from './tar-header.js'

/** Canonical name of the image that needs no registry. */
export const BUILTIN_REFERENCE = formatReference(parseReference('jubako/hello:latest'))

export function isBuiltin(reference: Reference): boolean {
  return formatReference(reference) === BUILTIN_REFERENCE
}

/**
 * Puts the built-in image's manifest, configuration and layer into the store: from scratch, one static program. The
 * same program gives the same digests on every machine.
 *
 * @param program path of the static `jubako-hello`
 * @returns the manifest
 */
export async function storeBuiltin(content: ContentStore, program: string, lease: Lease): Promise<Descriptor> {
  const layer = singleFileTar('hello', readFileSync(program))
  const { os, architecture } = hostPlatform()
  const config = json({
    architecture,
    os,
    created: '1970-01-01T00:00:00Z',
    config: { Entrypoint: ['/hello'], Env: ['PATH=/'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'jubako/hello' }],
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: OCI_LAYER, digest: digestOf(layer), size: layer.length }],
  })
  await lease.protect([layer, config, manifest].map((bytes) => blob(digestOf(bytes))))
  for (const bytes of [layer, config, manifest]) await content.put(bytes)
  return { mediaType: OCI_MANIFEST, digest: digestOf(manifest), size: manifest.length }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** An archive of one executable. */
function singleFileTar(name: string, data: Buffer): Buffer {
  return Buffer.concat([tarHeader({ name, size: data.length, mode: 0o755 }), data, tarPadding(data.length), TAR_END])
}
