import { execFile } from 'node:child_process'
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import type { ProcessTable } from './container-types.js'

const badTable = (): JubakoError =>
  new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', "Couldn't find PID field in ps output")

/**
 * Those lines of the host's ps(1) that are about the given processes; without arguments `ps -ef`, which needs no ps.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT when ps refuses its arguments or shows no PID
 */
export async function processTable(pids: readonly number[], psArguments: readonly string[]): Promise<ProcessTable> {
  if (psArguments.length === 0 || (psArguments.length === 1 && psArguments[0] === '-ef')) return fullListing(pids)
  return selectProcesses(await runPs(psArguments), new Set(pids.map(String)))
}

function runPs(psArguments: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('ps', psArguments, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      reject(
        new JubakoError(
          'ERR_JUBAKO_INVALID_ARGUMENT',
          `ps: ${
            stderr.trim() === ''
              ? error.message
              : stderr
                  .trim()
                  .split('\n')[0]!
                  .replace(/^(error|ps): /, '')
          }`,
          {
            cause: error,
            hint: missing
              ? 'options of ps need the ps program on this host; without options it is not needed'
              : undefined,
          },
        ),
      )
    })
  })
}

/** @param output of ps: a line of titles, the last of which may have spaces in its cells */
export function selectProcesses(output: string, pids: ReadonlySet<string>): ProcessTable {
  const [heading = '', ...lines] = output.split('\n')
  const titles = heading.trim().split(/\s+/)
  const pidAt = titles.indexOf('PID')
  if (pidAt < 0) throw badTable()
  const processes: string[][] = []
  let ours = false
  for (const line of lines) {
    if (line.trim() === '') continue
    const cells = cellsOf(line, titles.length)
    const pid = cells[pidAt] ?? ''
    // Threads have a dash there and follow their process.
    if (pid !== '-') ours = pids.has(pid)
    if (ours) processes.push(cells)
  }
  return { titles, processes }
}

function cellsOf(line: string, count: number): string[] {
  const words = line.trim().split(/\s+/)
  return words.length <= count ? words : [...words.slice(0, count - 1), words.slice(count - 1).join(' ')]
}

/** proc_pid_stat(5), from the field after the command on. */
interface ProcessStat {
  command: string
  parent: string
  terminal: number
  ticks: number
  startTicks: number
}

/** Clock ticks a second in /proc, on every Linux (USER_HZ). */
const HZ = 100

function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const end = text.lastIndexOf(')')
    const fields = text.slice(end + 2).split(' ')
    const at = (number: number): number => Number(fields[number - 3])
    return {
      command: text.slice(text.indexOf('(') + 1, end),
      parent: fields[1]!,
      terminal: at(7),
      ticks: at(14) + at(15),
      startTicks: at(22),
    }
  } catch {
    return undefined
  }
}

function userNames(): Map<string, string> {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
    return new Map(lines.map((line) => line.split(':')).map(([name, , uid]) => [uid ?? '', name ?? '']))
  } catch {
    return new Map()
  }
}

/** `ps -ef`: UID PID PPID C STIME TTY TIME CMD. */
function fullListing(pids: readonly number[]): ProcessTable {
  const users = userNames()
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
  const now = Date.now()
  const processes = [...pids]
    .sort((a, b) => a - b)
    .flatMap((pid) => {
      const stat = readStat(pid)
      if (stat === undefined) return []
      const alive = uptime - stat.startTicks / HZ
      const uid = String(statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? 0)
      return [
        [
          users.get(uid) ?? uid,
          String(pid),
          stat.parent,
          String(alive > 0 ? Math.min(99, Math.floor(((stat.ticks / HZ) * 100) / alive)) : 0),
          startTime(now - alive * 1000, now),
          terminalName(pid, stat.terminal),
          cpuTime(Math.floor(stat.ticks / HZ)),
          commandOf(pid, stat),
        ],
      ]
    })
  return { titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'], processes }
}

/** The time of day within a day, else month and day, or the year. */
function startTime(at: number, now: number): string {
  const [date, today] = [new Date(at), new Date(now)]
  const two = (value: number) => String(value).padStart(2, '0')
  if (date.getFullYear() !== today.getFullYear()) return String(date.getFullYear())
  if (date.toDateString() === today.toDateString()) return `${two(date.getHours())}:${two(date.getMinutes())}`
  return `${date.toLocaleString('en-US', { month: 'short' })}${two(date.getDate())}`
}

/** The name of the descriptor that is the controlling terminal. */
function terminalName(pid: number, number: number): string {
  if (number === 0) return '?'
  for (const fd of [0, 1, 2, 255]) {
    try {
      const name = readlinkSync(`/proc/${pid}/fd/${fd}`)
      if (/^\/dev\/(pts\/\d+|tty\w*|console)$/.test(name)) return name.slice('/dev/'.length)
    } catch {
      // closed
    }
  }
  // pts have the majors 136 to 143.
  const [major, minor] = [(number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00)]
  return major >= 136 && major <= 143 ? `pts/${minor + (major - 136) * 256}` : '?'
}

function cpuTime(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return seconds < 86400 ? clock : `${Math.floor(seconds / 86400)}-${clock}`
}

function commandOf(pid: number, { command }: ProcessStat): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').split('\0').join(' ')
    if (words !== '') return printable(words)
  } catch {
    // ended
  }
  return `[${printable(command)}]`
}

/** A container chooses its processes' names: no control character reaches a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}
