import type { ProgressEvent } from '../../engine/types.js'
import { humanSize } from '../format/units.js'
import type { Output } from './output.js'

/** Statuses that a plain log shows: one line when a layer enters it. */
const steady =
  /^(Pulling fs layer|Verifying Checksum|Download complete|Pull complete|Already exists|Loaded|Preparing|Layer already exists|Mounted from|Pushed)/

interface TerminalSize {
  columns: number
  rows: number
}

/** How a pull or load shows where it is. */
export interface Progress {
  onProgress: (event: ProgressEvent) => void
  /** Leaves the lines as they are. */
  end(): void
}

/** JSON lines for programs. */
export function jsonProgress(out: Pick<Output, 'line'>): Progress {
  return {
    onProgress: ({ id, status, current, total }) =>
      out.line(
        JSON.stringify({
          status,
          ...(id !== '' && { id }),
          ...(total !== undefined && { progressDetail: { current, total } }),
        }),
      ),
    end: () => {},
  }
}

export const silentProgress: Progress = { onProgress: () => {}, end: () => {} }

/** One line per layer and steady status, for logs. */
export function plainProgress(out: Pick<Output, 'line'>): Progress {
  const last = new Map<string, string>()
  return {
    onProgress: ({ id, status }) => {
      if (id === '') return out.line(status)
      if (last.get(id) === status || !steady.test(status)) return
      last.set(id, status)
      out.line(`${id}: ${status}`)
    },
    end: () => {},
  }
}

/**
 * A block of lines, one per layer, redrawn in place at most ten times a second. Of more layers than the screen has
 * lines, those that are worked on are shown.
 */
export function terminalProgress(out: Pick<Output, 'text' | 'line'>, size: TerminalSize): Progress {
  const lines = new Map<string, string>()
  let drawn = 0
  let timer: NodeJS.Timeout | undefined
  const draw = () => {
    timer = undefined
    const shown = fitting([...lines.values()], size.rows - 1)
    const text = shown.map((line) => `\x1b[2K${line.slice(0, size.columns - 1)}\n`).join('')
    out.text(`${drawn > 0 ? `\x1b[${drawn}A` : ''}${text}${shown.length < drawn ? '\x1b[J' : ''}`)
    drawn = shown.length
  }
  return {
    onProgress: ({ id, status, current, total }) => {
      if (id === '') {
        if (timer !== undefined) clearTimeout(timer)
        if (drawn > 0 || lines.size > 0) draw()
        drawn = 0
        lines.clear()
        out.line(status)
        return
      }
      lines.set(id, `${id}: ${status}${bar(current, total)}`)
      timer ??= setTimeout(draw, 100)
    },
    end: () => {
      if (timer !== undefined) clearTimeout(timer)
      if (lines.size > 0) draw()
    },
  }
}

const done = /: (Pull complete|Already exists|Loaded|Layer already exists|Mounted from|Pushed)/
const waiting = /: (Pulling fs layer|Preparing|Waiting)$/

/** As many lines as there is room for: what moves first, what waits after it, what is done in one line. */
function fitting(lines: readonly string[], room: number): readonly string[] {
  if (lines.length <= room) return lines
  const open = lines.filter((line) => !done.test(line))
  const moving = [...open.filter((line) => !waiting.test(line)), ...open.filter((line) => waiting.test(line))]
  const shown = moving.slice(0, Math.max(room - 1, 0))
  return [...shown, `${lines.length - open.length} of ${lines.length} layers done`]
}

function bar(current: number | undefined, total: number | undefined): string {
  if (current === undefined) return ''
  if (total === undefined || total === 0) return ` ${humanSize(current)}`
  const filled = Math.min(50, Math.floor((current / total) * 50))
  return ` [${'='.repeat(filled)}>${' '.repeat(50 - filled)}] ${humanSize(current)}/${humanSize(total)}`
}

/** As standard error (or another output) is a terminal or not. */
export function chooseProgress(
  out: Output,
  options: { quiet: boolean; json?: boolean; isTerminal: boolean },
): Progress {
  if (options.quiet) return silentProgress
  if (options.json) return jsonProgress(out)
  const terminal = process.stderr.isTTY ? process.stderr : process.stdout
  const size = { columns: terminal.columns ?? 80, rows: terminal.rows ?? 24 }
  return options.isTerminal ? terminalProgress(out, size) : plainProgress(out)
}
