/** A peer's server with a published port and a name, and the questions of traffic.c to it. */
import { execFileSync } from 'node:child_process'
import { IMAGE, run } from './peers.js'

const NAME = 'jubako-bench-web'
const CONNECTIONS = '16'

export interface PeerTraffic {
  name: string
  /** Requests per second at the address of the peer's bridge: by its rules, with no proxy in between. */
  load(milliseconds: number): number
  /** Look-ups per second, median and 99th percentile in microseconds. */
  ask(milliseconds: number): number[]
  close(): void
}

/**
 * @param program traffic.c
 * @throws {Error} when the peer cannot do it here
 */
export function peerTraffic(name: string, program: string, port: number): PeerTraffic {
  const done = (words: string[]): string => {
    const result = run([name, ...words])
    if (!result.ok) throw new Error(`${name} ${words[0]}: ${result.complaint}`)
    return result.stdout.trim()
  }
  const close = () => {
    run([name, 'rm', '-f', NAME])
    run([name, 'rm', '-f', `${NAME}-named`])
    run([name, 'network', 'rm', NAME])
  }
  const volume = ['-v', `${program}:/traffic:ro`]
  close()
  try {
    done(['network', 'create', NAME])
    done(['run', '-d', '--name', NAME, '-p', `${port}:80`, ...volume, IMAGE, '/traffic', 'serve', '80'])
    const named = ['--name', `${NAME}-named`, '--network', NAME]
    done(['run', '-d', ...named, ...volume, IMAGE, '/traffic', 'serve', '80'])
    const gateway = done(['inspect', '-f', '{{.NetworkSettings.Gateway}}', NAME])
    return {
      name,
      load: (milliseconds) =>
        Number(
          execFileSync(program, ['load', gateway, `${port}`, CONNECTIONS, `${milliseconds}`], { encoding: 'utf8' }),
        ),
      ask: (milliseconds) =>
        done([
          'run',
          '--rm',
          '--network',
          NAME,
          ...volume,
          IMAGE,
          '/traffic',
          'ask',
          `${NAME}-named`,
          `${milliseconds}`,
        ])
          .split(' ')
          .map(Number),
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}
