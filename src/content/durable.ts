import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Makes names created, renamed or removed in a directory survive a power cut (`fsync(2)`). */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Replaces a small file so that readers and a power cut see the old or the new content, never a part.
 * Mode 0600.
 */
export async function writeFileDurably(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.tmp-${randomBytes(6).toString('hex')}-${basename(path).slice(0, 64)}`)
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(data)
    await handle.datasync()
    await handle.close()
    await rename(temporary, path)
  } catch (error) {
    await handle.close().catch(() => undefined)
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

/** Name of a file that {@link writeFileDurably} left when its process died. */
export function isTemporaryName(name: string): boolean {
  return name.startsWith('.tmp-')
}
