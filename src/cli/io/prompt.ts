import { createInterface } from 'node:readline/promises'
import { makeRaw } from '../../native/index.js'
import type { Output } from './output.js'

/** Asks on the terminal for a line. */
export async function promptLine(question: string, out: Output): Promise<string> {
  out.text(question)
  const lines = createInterface({ input: process.stdin })
  try {
    for await (const line of lines) return line.trim()
    return ''
  } finally {
    lines.close()
  }
}

const [CTRL_C, CTRL_D, BACKSPACE, DELETE] = [3, 4, 8, 127]

/** Asks on the terminal for a line that is not shown. undefined: the person gave up. */
export async function promptSecret(question: string, out: Output): Promise<string | undefined> {
  out.text(question)
  const restore = makeRaw(0)
  const bytes: number[] = []
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      for (const byte of chunk) {
        if (byte === CTRL_C || (byte === CTRL_D && bytes.length === 0)) return undefined
        if (byte === 0x0d || byte === 0x0a) return Buffer.from(bytes).toString()
        if (byte === BACKSPACE || byte === DELETE) bytes.pop()
        else bytes.push(byte)
      }
    }
    return undefined
  } finally {
    restore?.()
    out.line()
  }
}

/** Everything on standard input, without the line feed at its end. */
export async function readSecret(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
    .toString()
    .replace(/\r?\n$/, '')
}
