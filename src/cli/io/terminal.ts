import type { Writable } from 'node:stream'
import { makeRaw } from '../../native/index.js'

/**
 * Sets standard input's terminal to raw mode until the returned function is called. At exit it is restored whatever ends
 * the program (Node does so itself for a signal); a SIGKILL leaves that to the shell (`reset`).
 */
export function rawTerminal(): () => void {
  const restore = makeRaw(0)
  if (restore === undefined) return () => {}
  process.on('exit', restore)
  return () => {
    process.off('exit', restore)
    restore()
  }
}

/** Size of the terminal, or of none. */
export function terminalSize(): { columns: number; rows: number } {
  const { stdout } = process
  return { columns: stdout.columns ?? 0, rows: stdout.rows ?? 0 }
}

/** Finds a key sequence in what is typed. What could be its beginning is held back until that is known. */
export class KeySequence {
  #matched = 0

  constructor(private readonly keys: readonly number[]) {}

  /** @returns what goes on to the container, and whether the sequence is complete */
  push(chunk: Buffer): { pass: Buffer; complete: boolean } {
    const { keys } = this
    if (keys.length === 0) return { pass: chunk, complete: false }
    const out: number[] = []
    for (const byte of chunk) {
      if (byte === keys[this.#matched]) {
        this.#matched++
        if (this.#matched === keys.length) return { pass: Buffer.from(out), complete: true }
        continue
      }
      out.push(...keys.slice(0, this.#matched))
      this.#matched = byte === keys[0] ? 1 : 0
      if (this.#matched === 0) out.push(byte)
    }
    return { pass: Buffer.from(out), complete: false }
  }
}

/**
 * Passes standard input on, with back-pressure, until it ends or the key sequence comes.
 *
 * @returns stops reading
 */
export function pumpInput(to: Writable, keys: readonly number[], onDetach: () => void): () => void {
  const { stdin } = process
  const sequence = new KeySequence(keys)
  to.on('error', () => {})
  const onData = (chunk: Buffer) => {
    const { pass, complete } = sequence.push(chunk)
    if (pass.length > 0 && !to.destroyed && !to.write(pass)) {
      stdin.pause()
      to.once('drain', () => stdin.resume())
    }
    if (complete) onDetach()
  }
  const onEnd = () => {
    if (!to.destroyed) to.end()
  }
  stdin.on('data', onData)
  stdin.on('end', onEnd)
  stdin.on('error', onEnd)
  return () => {
    stdin.off('data', onData)
    stdin.off('end', onEnd)
    stdin.pause()
  }
}
