import t from 'tap'
import { jsonProgress, plainProgress, terminalProgress } from '../../src/cli/io/progress.js'

/** A screen that understands what the progress writes: text, line feeds, cursor up, erase line and erase below. */
class Screen {
  rows: string[] = ['']
  at = 0

  text(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the control sequences
    for (const [part, up] of text.matchAll(/\x1b\[(\d*)[AKJ]|\n|[^\x1b\n]+/g)) {
      if (part === '\n') {
        this.at++
        this.rows[this.at] ??= ''
      } else if (part.endsWith('A') && part.startsWith('\x1b')) this.at -= Number(up)
      else if (part === '\x1b[2K') this.rows[this.at] = ''
      else if (part === '\x1b[J') this.rows.splice(this.at, this.rows.length, '')
      else this.rows[this.at] += part
    }
  }

  line(text = ''): void {
    this.text(`${text}\n`)
  }
}

const wait = () => new Promise((resolve) => setTimeout(resolve, 150))

t.test('a terminal shows each layer in a line of its own', async (t) => {
  const screen = new Screen()
  const { onProgress, end } = terminalProgress(screen, { columns: 40, rows: 24 })
  onProgress({ id: '', status: 'latest: Pulling from a' })
  onProgress({ id: 'aa', status: 'Pulling fs layer' })
  onProgress({ id: 'bb', status: 'Downloading', current: 500, total: 1000 })
  await wait()
  t.equal(screen.rows[1], 'aa: Pulling fs layer')
  t.match(screen.rows[2], /^bb: Downloading \[=+>? *$/, 'cut at the width')
  t.equal(screen.rows[2]!.length, 39)
  onProgress({ id: 'bb', status: 'Pull complete' })
  onProgress({ id: 'aa', status: 'Already exists' })
  onProgress({ id: '', status: 'Status: done' })
  end()
  t.strictSame(screen.rows, ['latest: Pulling from a', 'aa: Already exists', 'bb: Pull complete', 'Status: done', ''])
})

t.test('more layers than lines', async (t) => {
  const screen = new Screen()
  const { onProgress, end } = terminalProgress(screen, { columns: 80, rows: 5 })
  for (let i = 0; i < 9; i++) onProgress({ id: `l${i}`, status: 'Pulling fs layer' })
  onProgress({ id: 'l8', status: 'Extracting', current: 10 })
  onProgress({ id: 'l0', status: 'Pull complete' })
  await wait()
  t.strictSame(screen.rows, [
    'l8: Extracting 10B',
    'l1: Pulling fs layer',
    'l2: Pulling fs layer',
    '1 of 9 layers done',
    '',
  ])
  for (let i = 0; i < 9; i++) onProgress({ id: `l${i}`, status: 'Pull complete' })
  end()
  t.strictSame(screen.rows, ['9 of 9 layers done', ''])
})

t.test('a log shows each step once', (t) => {
  const lines: string[] = []
  const { onProgress } = plainProgress({ line: (text = '') => void lines.push(text) })
  for (const current of [1, 2, 3]) onProgress({ id: 'aa', status: 'Downloading', current, total: 3 })
  for (let i = 0; i < 2; i++) onProgress({ id: 'aa', status: 'Pull complete' })
  onProgress({ id: '', status: 'Status: done' })
  t.strictSame(lines, ['aa: Pull complete', 'Status: done'])
  t.end()
})

t.test('a program gets JSON lines', (t) => {
  const lines: unknown[] = []
  const { onProgress } = jsonProgress({ line: (text = '') => void lines.push(JSON.parse(text)) })
  onProgress({ id: 'aa', status: 'Downloading', current: 1, total: 3 })
  onProgress({ id: '', status: 'Status: done' })
  t.strictSame(lines, [
    { status: 'Downloading', id: 'aa', progressDetail: { current: 1, total: 3 } },
    { status: 'Status: done' },
  ])
  t.end()
})
