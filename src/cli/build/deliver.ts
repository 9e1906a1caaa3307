import { closeSync, createWriteStream, mkdirSync, openSync, writeFileSync } from 'node:fs'
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
      await withDestination(dest, (fd) => engine.build.exportTar(result.layers, fd))
    } else if (type === 'oci' || (type === 'docker' && dest !== undefined)) {
      // A docker output without a place is the store, where the image is already.
      const archive = await engine.images.save(tags.length > 0 ? tags : [imageId!])
      await withDestination(dest, (fd) => pipeline(archive, createWriteStream('', { fd, autoClose: false })))
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
  const toOutput = outputs.some(({ type, dest }) => dest === '-' || (type === 'oci' && dest === undefined))
  if (flags.bool('quiet') && !toOutput) context.out.line(imageId)
}

/** Standard output stays open: something may be said there afterwards. */
async function withDestination(dest: string | undefined, write: (fd: number) => Promise<void>): Promise<void> {
  if (dest === undefined || dest === '-') return write(1)
  mkdirSync(dirname(resolve(dest)), { recursive: true })
  const fd = openSync(resolve(dest), 'w')
  try {
    await write(fd)
  } finally {
    closeSync(fd)
  }
}
