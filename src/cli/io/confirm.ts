import { createInterface } from 'node:readline/promises'
import type { CommandContext } from '../command.js'

/** Asks before something is removed. No answer is no. */
export async function confirm(warning: string, context: Pick<CommandContext, 'err'>): Promise<boolean> {
  context.err.text(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `)
  const lines = createInterface({ input: process.stdin })
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim())
    return false
  } finally {
    lines.close()
  }
}
