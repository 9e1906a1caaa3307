import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { BuildResult } from '../../engine/build-types.js'
import type { Engine } from '../../engine/engine.js'
import type { CommandContext } from '../command.js'
import type { ParsedArgs } from '../flags/parse.js'
import type { OutputOption } from '../values/build.js'

/** Where the result goes. */
export async function deliver(
  engine: Engine,
  result: BuildResult,
  outputs: readonly OutputOption[],
  flags: ParsedArgs,
  context: CommandContext,
): Promise<void> {
  const { imageId } = result
  const tags = [...flags.list<string>('tag'), ...outputs.flatMap(({ names }) => names)]
  for (const { type, dest, push } of outputs) {
    if (type === 'local') {
      mkdirSync(dest!, { recursive: true })
      await engine.build.exportTree(result.layers, resolve(dest!))
    } else if (type === 'tar') {
      const fd = await openDestination(dest)
      await engine.build.exportTar(result.layers, fd)
    } else if (type === 'docker' || type === 'oci') {
      const archive = await engine.images.save(tags.length > 0 ? tags : [imageId!])
      await pipeline(archive, dest === undefined || dest === '-' ? process.stdout : createWriteStream(dest))
    }
    if (push) for (const tag of tags) await engine.images.push(tag)
  }
  if (flags.bool('push')) for (const tag of tags) await engine.images.push(tag)
  if (imageId === undefined) return
  const iidfile = flags.string('iidfile')
  if (iidfile !== undefined) writeFileSync(iidfile, imageId)
  const metadata = flags.string('metadata-file')
  if (metadata !== undefined) {
    const names = tags.join(',')
    writeFileSync(
      metadata,
      `${JSON.stringify({ 'containerimage.config.digest': imageId, ...(names && { 'image.name': names }) }, undefined, 2)}\n`,
    )
  }
  if (flags.bool('quiet')) context.out.line(imageId)
}

async function openDestination(dest: string | undefined): Promise<number> {
  if (dest === undefined || dest === '-') return 1
  const { openSync } = await import('node:fs')
  mkdirSync(dirname(resolve(dest)), { recursive: true })
  return openSync(resolve(dest), 'w')
}
