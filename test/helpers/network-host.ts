/**
 * A host of one's own for tests of networks: bridges, rules and forwarding of the machine stay as they are. Importing it
 * puts the test file into a network namespace of its own.
 */
import './own-network.js'
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Container, RunOptions } from '../../src/index.js'
import { debianImage } from '../fixtures/images.js'
import { collect, type TestEngine, testEngine } from './engine.js'
import { TOOL_ENV } from './processes.js'

export const tool = (program: string, ...arguments_: string[]): string =>
  execFileSync(program, arguments_, { encoding: 'utf8', env: TOOL_ENV })

/** A server in the container that answers each connection or datagram with a line. */
export const tcpServer = (port: number, line: string) => [
  'perl',
  '-MIO::Socket::INET',
  '-e',
  `$s = IO::Socket::INET->new(LocalPort => ${port}, Listen => 64, ReuseAddr => 1) or die $!; while ($c = $s->accept) { print $c "${line} ", $c->peerhost, "\\n"; close $c }`,
]
export const udpServer = (port: number) => [
  'perl',
  '-MIO::Socket::INET',
  '-e',
  `$s = IO::Socket::INET->new(LocalPort => ${port}, Proto => "udp") or die $!; while ($s->recv($m, 999)) { $s->send("echo $m") }`,
]
/** A shell that reads what a server says. */
export const ask = (name: string, port: number) => `exec 3<>/dev/tcp/${name}/${port} && cat <&3`

/** What a TCP server says until it hangs up. */
export function say(host: string, port: number): Promise<string> {
  return new Promise((settle, fail) => {
    const socket = connect({ host, port })
    let text = ''
    socket.setTimeout(20_000, () => socket.destroy(new Error(`no answer of ${host}:${port}`)))
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', fail)
    socket.on('close', () => settle(text))
  })
}

/** Until `act` gives something that matches; the last failure otherwise. */
export async function eventually(act: () => Promise<string>, expected: RegExp): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      const text = await act()
      if (expected.test(text) || attempt > 150) return text
    } catch (error) {
      if (attempt > 150) throw error
    }
    await sleep(100)
  }
}

export interface Setup extends TestEngine {
  debian: string
  run(command: string[], options?: RunOptions): Promise<Container>
  /** Output of a command in a new container. */
  shell(script: string, options?: RunOptions): Promise<string>
  address(container: Container, network?: string): Promise<string>
}

let shared: Promise<Setup> | undefined

/** One store for all. */
export const setUp = (): Promise<Setup> => (shared ??= makeSetup())

async function makeSetup(): Promise<Setup> {
  const it = await testEngine(t)
  await it.engine.load((await debianImage()).layout)
  const debian = (await it.engine.images()).find(({ id }) => id !== it.image)!.id
  const run = (command: string[], options: RunOptions = {}) =>
    it.engine.run(debian, command, { network: 'bridge', ...options })
  return {
    ...it,
    debian,
    run,
    shell: async (script, options) => {
      await using container = await run(['bash', '-c', script], options)
      const [out, err] = await Promise.all([collect(container.stdout), collect(container.stderr), container.wait()])
      return `${out}${err}`
    },
    address: async (container, network = 'bridge') => {
      const { NetworkSettings } = (await container.inspect()) as {
        NetworkSettings: { Networks: Record<string, { IPAddress: string }> }
      }
      return NetworkSettings.Networks[network]!.IPAddress
    },
  }
}

/** What containers leave in the namespace: ports of containers, addresses, names, veth links. */
export function leftovers(runRoot: string): string[] {
  const elements = tool('nft', 'list', 'ruleset')
    .split('\n')
    .filter((line) => /: 17\d\.|: 10\.|: fd/.test(line) || /elements = \{.* : /.test(line))
  const links = tool('ip', '-br', 'link')
    .split('\n')
    .filter((line) => line.startsWith('veth'))
  const zones = readdirSync(`${runRoot}/networks`).filter((name) => name.length === 64)
  const files = zones.flatMap((zone) =>
    ['addresses', 'names', 'reverse'].flatMap((kind) => {
      try {
        return readdirSync(`${runRoot}/networks/${zone}/${kind}`).map((name) => `${kind}/${name}`)
      } catch {
        return []
      }
    }),
  )
  return [...elements, ...links, ...files]
}

export async function nothingLeft(t: Test, runRoot: string): Promise<void> {
  let left: string[] = []
  for (let attempt = 0; attempt < 100; attempt++) {
    left = leftovers(runRoot)
    if (left.length === 0) break
    await sleep(100)
  }
  t.strictSame(left, [], 'nothing of the containers is left')
}

/** What a server of datagrams answers. */
export function ping(address: string, port: number, text = 'hello'): Promise<string> {
  return new Promise((settle, fail) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const timer = setTimeout(() => {
      socket.close()
      fail(new Error('no answer'))
    }, 1000)
    socket.on('message', (answer) => {
      clearTimeout(timer)
      socket.close()
      settle(String(answer))
    })
    socket.send(text, port, address)
  })
}
