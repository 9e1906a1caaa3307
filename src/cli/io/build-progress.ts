import type { BuildEvent } from '../../engine/build-types.js'
import type { Output } from './output.js'

/** How a build shows where it is. */
export interface BuildProgress {
  onProgress: (event: BuildEvent) => void
  end(): void
}

export const PROGRESS_MODES = ['auto', 'plain', 'tty', 'rawjson', 'quiet', 'none'] as const

const seconds = (ms: number) => (ms / 1000).toFixed(1)

/** BuildKit's plain log: every line with its step's number. */
export function plainBuild(err: Pick<Output, 'line'>): BuildProgress {
  const steps = new Map<string, { number: number; started: number; name: string; rest: string }>()
  let blank = false
  const header = (step: string) => {
    if (blank) err.line('')
    blank = true
    const { number, name } = steps.get(step)!
    err.line(`#${number} ${name}`)
  }
  let current = ''
  return {
    onProgress: (event) => {
      if (event.type === 'warning') return
      if (event.type === 'start') {
        steps.set(event.step, { number: steps.size + 1, started: event.time, name: event.name, rest: '' })
        current = event.step
        return header(event.step)
      }
      const step = steps.get(event.step)
      if (step === undefined) return
      if (event.type === 'cached') {
        if (current !== event.step) header(event.step)
        current = event.step
        err.line(`#${step.number} CACHED`)
      } else if (event.type === 'output') {
        if (current !== event.step) header(event.step)
        current = event.step
        const lines = (step.rest + event.data.toString('utf8')).split('\n')
        step.rest = lines.pop()!
        for (const line of lines) err.line(`#${step.number} ${((event.time - step.started) / 1000).toFixed(3)} ${line}`)
      } else {
        if (step.rest !== '') err.line(`#${step.number} ${step.rest}`)
        if (event.error !== undefined) err.line(`#${step.number} ERROR: ${event.error}`)
        else err.line(`#${step.number} DONE ${seconds(event.time - step.started)}s`)
      }
    },
    end: () => {},
  }
}

/** One JSON document a line: BuildKit's solve status, a vertex or a log at a time. */
export function jsonBuild(err: Pick<Output, 'line'>): BuildProgress {
  const steps = new Map<string, { name: string; started: string; cached: boolean }>()
  const time = (ms: number) => new Date(ms).toISOString()
  return {
    onProgress: (event) => {
      if (event.type === 'warning') {
        const { rule, detail, url, location } = event.warning
        const short = Buffer.from(`${rule}: ${detail} (line ${location.line})`).toString('base64')
        return err.line(JSON.stringify({ warnings: [{ short, url, level: 1 }] }))
      }
      if (event.type === 'start') {
        steps.set(event.step, { name: event.name, started: time(event.time), cached: false })
        const vertex = { digest: `sha256:${event.step}`, name: event.name, started: time(event.time) }
        return err.line(JSON.stringify({ vertexes: [vertex] }))
      }
      const digest = `sha256:${event.step}`
      const step = steps.get(event.step)
      if (step === undefined) return
      if (event.type === 'cached') step.cached = true
      else if (event.type === 'output') {
        const stream = event.stream === 'stdout' ? 1 : 2
        const log = { vertex: digest, stream, data: event.data.toString('base64'), timestamp: time(event.time) }
        err.line(JSON.stringify({ logs: [log] }))
      } else {
        const vertex = {
          digest,
          name: step.name,
          started: step.started,
          completed: time(event.time),
          ...(step.cached && { cached: true }),
          ...(event.error !== undefined && { error: event.error }),
        }
        err.line(JSON.stringify({ vertexes: [vertex] }))
      }
    },
    end: () => {},
  }
}

const OUTPUT_LINES = 6

/** A step's output must not steer the terminal. */
const printable = (line: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what goes
  line.replace(/\x1b\[[0-9;]*[A-Za-z]|[\x00-\x1f\x7f]/g, '')

/** Steps and the last lines of those that run, redrawn in place. */
export function terminalBuild(err: Pick<Output, 'text'>, size: { columns: number; rows: number }): BuildProgress {
  interface Row {
    name: string
    started: number
    ended?: number
    cached: boolean
    error: boolean
    lines: string[]
    rest: string
  }
  const rows = new Map<string, Row>()
  const started = Date.now()
  let drawn = 0
  let ended = false
  const line = (row: Row) => {
    const state = row.error ? 'ERROR' : row.cached ? 'CACHED' : ''
    const time = `${seconds((row.ended ?? Date.now()) - row.started)}s`
    const left = ` => ${state === '' ? '' : `${state} `}${row.name.replace(/\s+/g, ' ')}`
    const room = size.columns - time.length - 2
    return `${left.slice(0, room).padEnd(room)} ${time}`
  }
  const draw = () => {
    const all = [...rows.values()]
    const finished = all.filter(({ ended }) => ended !== undefined).length
    const head = `[+] Building ${seconds(Date.now() - started)}s (${finished}/${all.length})`
    const text: string[] = [ended ? `${head} FINISHED` : head]
    for (const row of all) {
      text.push(line(row))
      if (row.ended === undefined) {
        for (const out of row.lines.slice(-OUTPUT_LINES)) text.push(` => => # ${out}`.slice(0, size.columns - 1))
      }
    }
    const shown = text.length > size.rows - 1 ? [text[0]!, ...text.slice(-(size.rows - 2))] : text
    err.text(`${drawn > 0 ? `\x1b[${drawn}A` : ''}${shown.map((one) => `\x1b[2K${one}\n`).join('')}\x1b[J`)
    drawn = shown.length
  }
  const timer = setInterval(draw, 150)
  timer.unref()
  return {
    onProgress: (event) => {
      if (event.type === 'warning') return
      if (event.type === 'start') {
        rows.set(event.step, {
          name: event.name,
          started: event.time,
          cached: false,
          error: false,
          lines: [],
          rest: '',
        })
        return
      }
      const row = rows.get(event.step)
      if (row === undefined) return
      if (event.type === 'cached') row.cached = true
      else if (event.type === 'end') {
        row.ended = event.time
        row.error = event.error !== undefined
      } else {
        const lines = (row.rest + event.data.toString('utf8')).split('\n')
        row.rest = lines.pop()!
        row.lines = [...row.lines, ...lines.map(printable)].slice(-OUTPUT_LINES)
      }
    },
    end: () => {
      clearInterval(timer)
      ended = true
      draw()
    },
  }
}
