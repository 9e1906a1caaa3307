import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { closeOrderly } from '../../src/api/http/close.js'
import { type Exchange, serveConnection } from '../../src/api/http/connection.js'
import { HttpError } from '../../src/api/http/head.js'
import type { Reply } from '../../src/api/http/reply.js'

interface Front {
  path: string
  /** Errors that left the front end: there must be none. */
  escaped: unknown[]
  open(): number
}

async function front(t: Test, handle: (exchange: Exchange) => Promise<void>): Promise<Front> {
  const directory = mkdtempSync(join(tmpdir(), 'jubako-http-'))
  const path = join(directory, 's')
  const escaped: unknown[] = []
  const sockets = new Set<Socket>()
  const refuse = async (error: HttpError, reply: Reply) => {
    await reply.json(error.status, { message: error.message })
  }
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    const options = { common: { Server: 'test' }, headTimeoutMs: 300, refuse }
    serveConnection(socket, {
      ...options,
      handle: async (exchange) => {
        try {
          await handle(exchange)
        } catch (error) {
          if (!(error instanceof HttpError) || exchange.reply.begun) throw error
          exchange.reply.close = true
          await refuse(error, exchange.reply)
        }
      },
    }).catch((error: unknown) => {
      if (!(error instanceof HttpError)) escaped.push(error)
      socket.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    rmSync(directory, { recursive: true, force: true })
  })
  return { path, escaped, open: () => sockets.size }
}

/** Sends bytes, ends, and gives all that comes back. */
function talk(path: string, parts: readonly (string | Buffer)[], options: { end?: boolean } = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path, allowHalfOpen: true })
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(text))
    for (const part of parts) socket.write(part)
    if (options.end ?? true) socket.end()
  })
}

const echo = async ({ head, body, reply }: Exchange) => {
  const bytes = await body.all(100_000)
  await reply.json(200, { method: head.method, target: head.target, body: bytes.toString('latin1') })
}

const status = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
const bodies = (answer: string): unknown[] =>
  answer
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as unknown)

t.test('requests of one connection are answered in order', async (t) => {
  const { path, escaped } = await front(t, echo)
  const answer = await talk(path, [
    'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\nGET /b?c=d HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nfg\r\n1\r\nh\r\n0\r\nTrailer: 1\r\n\r\n',
  ])
  t.strictSame(bodies(answer), [
    { method: 'POST', target: '/a', body: 'abc' },
    { method: 'GET', target: '/b?c=d', body: '' },
    { method: 'POST', target: '/e', body: 'fgh' },
  ])
  t.strictSame(escaped, [])
})

t.test('the same bytes one at a time', async (t) => {
  const { path } = await front(t, echo)
  const socket = connect({ path, allowHalfOpen: true })
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  for (const byte of 'POST /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfg\r\n0\r\n\r\n') {
    socket.write(byte)
    await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end()
  await new Promise((resolve) => socket.on('close', resolve).on('end', () => socket.end()))
  t.strictSame(bodies(text), [{ method: 'POST', target: '/e', body: 'fg' }])
})

t.test('what is not plainly right is refused', async (t) => {
  const { path, escaped } = await front(t, echo)
  const cases: [what: string, bytes: string, status: number][] = [
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['another version', 'GET / HTTP/2.0\r\n\r\n', 400],
    ['a space in the target', 'GET /a b HTTP/1.1\r\n\r\n', 400],
    ['a field without a name', 'GET / HTTP/1.1\r\n: x\r\n\r\n', 400],
    ['a folded field', 'GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n', 400],
    ['a control character', 'GET / HTTP/1.1\r\nA: b\x01\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
    ['a length and an encoding', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['an unknown encoding', 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501],
    ['a length that is none', 'POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n', 400],
    ['a chunk without a size', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
    ['a chunk that is longer than it says', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n', 400],
    ['a body that ends early', 'POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab', 400],
    ['a body that is too large', `POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n`, 413],
    ['an endless head', `GET / HTTP/1.1\r\nA: ${'b'.repeat(70_000)}`, 431],
    ['too many fields', `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(300)}\r\n`, 431],
  ]
  for (const [what, bytes, expected] of cases) t.equal(status(await talk(path, [bytes])), expected, what)
  t.strictSame(escaped, [])
})

t.test('a head that does not come to its end is not waited for; an idle connection is', async (t) => {
  const { path } = await front(t, echo)
  t.equal(await talk(path, ['GET / HT'], { end: false }), '')
  const socket = connect(path)
  await new Promise((resolve) => setTimeout(resolve, 700))
  socket.write('GET / HTTP/1.1\r\nConnection: close\r\n\r\n')
  const answer = await new Promise<string>((resolve) => socket.once('data', (it: Buffer) => resolve(it.toString())))
  t.equal(status(answer), 200)
})

t.test('100 Continue is said when the body is wanted, and not before', async (t) => {
  const { path } = await front(t, async (exchange) => {
    if (exchange.head.target === '/no') await exchange.reply.empty(403)
    else await echo(exchange)
  })
  const head = (target: string) => `PUT ${target} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`
  t.match(await talk(path, [head('/yes'), 'ab']), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/)
  t.match(await talk(path, [head('/no')]), /^HTTP\/1\.1 403/)
})

t.test('a body that nobody wants is not read to its end', async (t) => {
  const { path } = await front(t, ({ reply }) => reply.empty(200))
  const answer = await talk(path, [
    'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ...Array.from({ length: 64 }, () => `4000\r\n${'x'.repeat(0x4000)}\r\n`),
    '0\r\n\r\nGET / HTTP/1.1\r\n\r\n',
  ])
  t.equal(answer.match(/HTTP\/1\.1 200/g)?.length, 1)
})

t.test('a reader that does not read holds its writer up, and no memory', async (t) => {
  let written = 0
  const { path } = await front(t, async ({ reply }) => {
    await reply.start(200)
    const chunk = Buffer.alloc(64 * 1024)
    while (await reply.write(chunk)) written += chunk.length
  })
  const socket = connect(path)
  socket.pause()
  socket.write('GET / HTTP/1.1\r\n\r\n')
  let before = -1
  for (let quiet = 0; quiet < 5; ) {
    quiet = written === before && written > 0 ? quiet + 1 : 0
    before = written
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.ok(written < 8 * 2 ** 20, `${written} bytes are on their way`)
  socket.destroy()
})

t.test('the handler is told that its client has gone', async (t) => {
  let told!: () => void
  const gone = new Promise<void>((resolve) => {
    told = resolve
  })
  const { path } = await front(t, async ({ reply }) => {
    await reply.start(200)
    await new Promise<void>((resolve) => reply.signal.addEventListener('abort', () => resolve()))
    told()
  })
  const socket = connect(path)
  socket.write('GET / HTTP/1.1\r\n\r\n')
  await new Promise((resolve) => socket.once('data', resolve))
  socket.destroy()
  await gone
  t.pass('told')
})

t.test('a connection that is taken over keeps every byte', async (t) => {
  const { path } = await front(t, async ({ body, takeOver }) => {
    await body.all(10)
    const socket = takeOver(101, { Upgrade: 'tcp' })
    for await (const chunk of socket) socket.write(chunk)
    socket.end()
  })
  const payload = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251))
  const answer = await talk(path, ['POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok', payload])
  const start = answer.indexOf('\r\n\r\n') + 4
  t.ok(Buffer.from(answer.slice(start), 'latin1').equals(payload))
})

/** Repeatable numbers from 0 to 1. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const SEEDS = [
  'POST /v1.41/containers/create?name=a HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"Image":"a","b":',
  'GET /v1.51/containers/json?filters=%7B%7D HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n',
  'POST /containers/a/attach?stream=1 HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nrest',
  'PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'GET http://host/path HTTP/1.0\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n',
]
const PIECES = [
  '\r\n',
  '\n',
  '\0',
  ':',
  ' ',
  '\r\n\r\n',
  'chunked',
  'Content-Length: 4',
  '0',
  'f'.repeat(20),
  'HTTP/1.1',
  '%',
]

function mutate(text: string, next: () => number): string {
  let out = text
  for (let count = 1 + Math.floor(next() * 4); count > 0; count--) {
    const [from, to] = [Math.floor(next() * out.length), Math.floor(next() * out.length)]
    const piece = PIECES[Math.floor(next() * PIECES.length)]!
    switch (Math.floor(next() * 5)) {
      case 0:
        out = out.slice(0, from) + piece + out.slice(from)
        break
      case 1:
        out = out.slice(0, from) + out.slice(from + 1 + Math.floor(next() * 8))
        break
      case 2:
        out = out.slice(0, from) + String.fromCharCode(Math.floor(next() * 256)) + out.slice(from + 1)
        break
      case 3:
        out += out.slice(Math.min(from, to), Math.max(from, to))
        break
      default:
        out = out.slice(0, from)
    }
  }
  return out
}

t.test('fuzzed bytes get a status or a closed connection, nothing else', async (t) => {
  const seed = Number(process.env.JUBAKO_FUZZ_SEED ?? Date.now() % 1e9)
  const budget = Number(process.env.JUBAKO_FUZZ_MS ?? 8000)
  t.comment(`seed ${seed}`)
  const { path, escaped, open } = await front(t, async (exchange) => {
    if (!exchange.head.target.includes('attach')) return echo(exchange)
    const socket = exchange.takeOver(200, {})
    socket.write('taken')
    closeOrderly(socket)
  })
  const next = random(seed)
  const end = Date.now() + budget
  let rounds = 0
  while (Date.now() < end) {
    const inputs = Array.from({ length: 16 }, () => mutate(SEEDS[Math.floor(next() * SEEDS.length)]!, next))
    const answers = await Promise.all(
      inputs.map((it) => {
        const cut = Math.floor(next() * it.length)
        return talk(path, [Buffer.from(it.slice(0, cut), 'latin1'), Buffer.from(it.slice(cut), 'latin1')])
      }),
    )
    answers.forEach((answer, at) => {
      if (answer !== '' && !/^HTTP\/1\.1 (100|101|200|400|413|431|501) /.test(answer)) {
        t.fail(`seed ${seed}: ${JSON.stringify(inputs[at])} -> ${JSON.stringify(answer.slice(0, 200))}`)
      }
    })
    rounds += inputs.length
  }
  t.ok(rounds > 100, `${rounds} inputs`)
  t.strictSame(escaped, [])
  for (let attempt = 0; open() > 0 && attempt < 200; attempt++) await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(open(), 0, 'no connection is left')
})
