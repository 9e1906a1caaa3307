import { badRequest } from './errors.js'

const DEFAULT = [16, 17]
const CONTROL: Readonly<Record<string, number>> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 }

/**
 * Byte values of keys like `ctrl-p,ctrl-q`; the default of an empty text.
 *
 * @throws ApiError 400
 */
export function parseDetachKeys(text: string): readonly number[] {
  if (text === '') return DEFAULT
  return text.split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0)
    const control = /^ctrl-(.)$/.exec(key)?.[1]
    if (control !== undefined && /[a-z]/.test(control)) return control.charCodeAt(0) - 96
    const value = control === undefined ? undefined : CONTROL[control]
    if (value === undefined) throw badRequest(`Invalid detach keys (${text}) provided`)
    return value
  })
}

/** Finds a sequence of bytes in a stream. What looked like its beginning and was not is passed on late. */
export class DetachScanner {
  #matched = 0

  constructor(private readonly keys: readonly number[]) {}

  push(chunk: Buffer): { pass: Buffer; detached: boolean } {
    if (this.keys.length === 0) return { pass: chunk, detached: false }
    const out: number[] = []
    for (const byte of chunk) {
      if (byte === this.keys[this.#matched]) {
        this.#matched++
        if (this.#matched === this.keys.length) return { pass: Buffer.from(out), detached: true }
        continue
      }
      for (let at = 0; at < this.#matched; at++) out.push(this.keys[at]!)
      this.#matched = 0
      if (byte === this.keys[0]) this.#matched = 1
      else out.push(byte)
    }
    return { pass: Buffer.from(out), detached: false }
  }
}
