import { readFileSync, statSync } from 'node:fs'

/** A small file that is read again when it has changed. What cannot be read then stays what it was. */
export class WatchedFile<T> {
  #mark: string
  #value: T

  /** @throws what `parse` and reading throw */
  constructor(
    private readonly path: string,
    private readonly parse: (text: string) => T,
  ) {
    this.#mark = mark(path)
    this.#value = parse(readFileSync(path, 'utf8'))
  }

  get value(): T {
    try {
      const now = mark(this.path)
      if (now !== this.#mark) {
        this.#value = this.parse(readFileSync(this.path, 'utf8'))
        this.#mark = now
      }
    } catch {
      // Half-written, or just being replaced: what was known holds until it is right again.
    }
    return this.#value
  }
}

function mark(path: string): string {
  const { ino, mtimeMs, ctimeMs, size } = statSync(path)
  return `${ino} ${mtimeMs} ${ctimeMs} ${size}`
}
