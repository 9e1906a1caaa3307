/** Commands of a walk through in Markdown, with the output that it shows. */
export interface TourStep {
  /** Line in the file, from 1. */
  line: number
  /** Of several lines with a here document. */
  command: string
  /** What is typed at the prompts of a program on a terminal. */
  typed?: string[]
  output: string
}

/** The blocks `console` and `terminal`: `$ ` begins a command, `> ` goes on with it, `/ # ` is a prompt to type at. */
export function readTour(text: string): TourStep[] {
  const steps: TourStep[] = []
  let kind = ''
  text.split('\n').forEach((line, at) => {
    if (line.startsWith('```')) {
      kind = kind === '' ? line.slice(3) : ''
      return
    }
    if (kind !== 'console' && kind !== 'terminal') return
    const step = steps.at(-1)
    if (line.startsWith('$ ')) {
      steps.push({ line: at + 1, command: line.slice(2), output: '', ...(kind === 'terminal' && { typed: [] }) })
    } else if (step === undefined) throw new Error(`line ${at + 1}: output before a command`)
    else if (kind === 'console' && line.startsWith('> ')) step.command += `\n${line.slice(2)}`
    else {
      if (line.startsWith('/ # ')) step.typed?.push(line.slice(4))
      // What is typed is shown by the terminal; control keys are not, and end no line.
      const keys = /(\^[A-Z])+$/
      step.output += keys.test(line) ? line.replace(keys, '') : `${line}\n`
    }
  })
  return steps
}

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  id: '[0-9a-f]{12}',
  container: '[0-9a-f]{64}',
  digest: 'sha256:[0-9a-f]{64}',
  hex: '[0-9a-f]+',
  number: '\\d+',
  decimal: '[\\d.]+',
  version: '[\\d.]+',
  time: '[\\dT:.-]+Z',
  address: '[\\d.:a-f]+',
  size: '[\\d.]+ ?[kMG]?B',
  ago: '(?:About )?\\w+ \\w+ ago',
}

/** Whether an output is what is shown. Spaces in columns may be more or fewer, what a carriage return
 * leads back over was overwritten; `...` is any number of lines. */
export function matches(shown: string, actual: string): boolean {
  const plain = (text: string) =>
    text
      .replace(/\r\n/g, '\n')
      .replace(/[^\n]*\r/g, '')
      .replace(/[ \t]+/g, ' ')
      .replace(/ +$/gm, '')
      .trim()
  const lines = plain(shown).split('\n')
  const pattern = lines
    .map((line, at) => {
      const end = at === lines.length - 1 ? '' : '\\n'
      if (line === '...') return end === '' ? '(?:[^]*)' : '(?:[^\\n]*\\n)*?'
      const escaped = line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
      return escaped.replace(/<([a-z]+)>/g, (all, name: string) => PLACEHOLDERS[name] ?? all) + end
    })
    .join('')
  return new RegExp(`^${pattern}$`).test(plain(actual))
}
