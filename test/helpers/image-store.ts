/** Image stores on data roots of their own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ImageStore, type ImageStoreOptions } from '../../src/images/index.js'
import { CountingUnpacker } from './counting-unpacker.js'

export interface TestStore {
  root: string
  store: ImageStore
  unpacker: CountingUnpacker
}

/** A directory that is removed when the test ends. */
export function temporaryDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'jubako-images-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A store that retries quickly. It is closed, and its root removed, when the test ends. */
export function testStore(t: Test, options: Partial<ImageStoreOptions> = {}): TestStore {
  const root = options.root ?? temporaryDirectory(t)
  const unpacker = new CountingUnpacker()
  const store = ImageStore.open({ root, unpacker, registry: { retry: { firstDelayMs: 10 } }, ...options })
  t.teardown(() => store.close())
  return { root, store, unpacker }
}
