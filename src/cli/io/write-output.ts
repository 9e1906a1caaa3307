import { randomBytes } from 'node:crypto'
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { CodedError, EXIT } from '../exit-codes.js'
import type { Output } from './output.js'

/**
 * Writes a stream to a file, which appears under its name only when it is whole, or to standard output.
 *
 * @param path undefined: standard output
 * @param failure begins the message about a path that cannot be written
 * @param begin starts the stream; called when the path is known to be good
 */
export async function writeOutput(
  path: string | undefined,
  out: Output,
  failure: string,
  begin: () => Promise<Readable>,
): Promise<void> {
  if (path === undefined) {
    for await (const chunk of (await begin()) as AsyncIterable<Buffer>) await out.bytes(chunk)
    return
  }
  const target = resolve(path)
  const existing = await checkTarget(target, failure)
  const source = await begin()
  // What is no regular file, a pipe or /dev/null, cannot be replaced.
  const special = existing !== undefined && !existing.isFile()
  const temporary = special ? target : join(dirname(target), `.${basename(target)}-${randomBytes(6).toString('hex')}`)
  try {
    const file = await open(temporary, special ? 'w' : 'wx', existing?.mode ?? 0o600)
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) await file.writeFile(chunk)
    } finally {
      await file.close()
    }
    if (!special) await rename(temporary, target)
  } catch (error) {
    if (!special) await rm(temporary, { force: true })
    throw error
  } finally {
    source.destroy()
  }
}

async function checkTarget(target: string, failure: string) {
  const directory = dirname(target)
  await stat(directory).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'no such file or directory' : (error.code ?? error.message)
    throw new CodedError(`${failure}: invalid output path: stat ${directory}: ${why}`, EXIT.failure)
  })
  const existing = await stat(target).catch(() => undefined)
  if (existing?.isDirectory()) throw new CodedError(`${failure}: cannot write to a directory`, EXIT.failure)
  return existing
}
