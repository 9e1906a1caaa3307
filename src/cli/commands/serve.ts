import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { ServeAddress } from '../../engine/serve-types.js'
import { JubakoError } from '../../errors/index.js'
import { askedToEnd } from '../asked-to-end.js'
import type { Command, CommandContext } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import type { ParsedArgs } from '../flags/parse.js'

const DEFAULT_HOST = 'unix:///run/jubako/jubako.sock'
/** systemd's first passed descriptor: sd_listen_fds(3). */
const FIRST_FD = 3

/** Descriptors that systemd passed to this process. */
function passedFds(): number[] {
  const count = Number(process.env.LISTEN_FDS)
  if (Number(process.env.LISTEN_PID) !== process.pid || !(count > 0)) return []
  return Array.from({ length: count }, (_, at) => FIRST_FD + at)
}

function address(host: string, flags: ParsedArgs): ServeAddress[] {
  const group = flags.string('group')
  if (host.startsWith('unix://')) return [{ socket: host.slice(7), ...(group !== undefined && { group }) }]
  if (/^fd:\/\//.test(host)) {
    const fds = passedFds()
    if (fds.length === 0) {
      throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', 'no socket was passed by systemd', {
        hint: 'start it through jubako.socket, or use -H unix:///...',
      })
    }
    return fds.map((fd) => ({ fd }))
  }
  const tcp = /^tcp:\/\/(\[[0-9a-fA-F:]+\]|[^:/]+):(\d{1,5})$/.exec(host)
  if (tcp === null) {
    throw new UsageError(`invalid address: ${host} (unix:///path, tcp://host:port or fd://)`, 'serve', EXIT.failure)
  }
  const [ca, cert, key] = ['tlscacert', 'tlscert', 'tlskey'].map((name) => flags.string(name))
  if (ca === undefined || cert === undefined || key === undefined) {
    throw new JubakoError(
      'ERR_JUBAKO_INVALID_ARGUMENT',
      `${host} is refused: whoever reaches the API is root on this machine, so TCP needs client certificates`,
      { hint: 'give --tlscacert, --tlscert and --tlskey, or use a unix socket through ssh' },
    )
  }
  return [{ host: tcp[1]!.replace(/^\[|\]$/g, ''), port: Number(tcp[2]), tls: { ca, cert, key } }]
}

function addresses(flags: ParsedArgs): ServeAddress[] {
  const hosts = flags.list('host')
  const chosen = hosts.length > 0 ? hosts : [passedFds().length > 0 ? 'fd://' : DEFAULT_HOST]
  return chosen.flatMap((host) => address(host, flags))
}

/** Runs a command to its end; signals go to it. Its exit code, as a shell has it. */
function runCommand(argv: readonly string[], dockerHost: string): Promise<number> {
  const [program = '', ...rest] = argv
  const env = { ...process.env, DOCKER_HOST: dockerHost, TESTCONTAINERS_RYUK_DISABLED: 'true' }
  const child = spawn(program, rest, { stdio: 'inherit', env })
  const forward = (signal: NodeJS.Signals) => child.kill(signal)
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, forward)
  return new Promise<number>((resolve, reject) => {
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const code = cause.code === 'ENOENT' ? 'ERR_JUBAKO_COMMAND_NOT_FOUND' : 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE'
      reject(new JubakoError(code, `cannot run ${program}: ${cause.message}`, { path: program, cause }))
    })
    child.on('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]))
  }).finally(() => {
    for (const signal of signals) process.off(signal, forward)
  })
}

async function serveForCommand(argv: readonly string[], context: CommandContext): Promise<number> {
  return context.faces.withDockerHost(await context.engine(), (dockerHost) => runCommand(argv, dockerHost))
}

export const command: Command = {
  spec: {
    name: 'serve',
    aliases: ['serve'],
    usage: '[OPTIONS] [-- COMMAND [ARG...]]',
    summary: 'Serve the Docker Engine API; with a command only for it, and remove what it made',
    args: [0, Number.POSITIVE_INFINITY],
    interspersed: false,
    flags: [
      ['H', 'host', 'list', 'Where to listen: unix:///path, tcp://host:port or fd://', { default: DEFAULT_HOST }],
      ['', 'group', 'string', 'Group of the unix socket: name or number'],
      ['', 'allow', 'list', 'Only this operation (ContainerList, ...) or read; repeat for more'],
      ['', 'allow-label', 'list', 'Only containers with this label (key=value)'],
      ['', 'tlscacert', 'string', 'Authority of the clients’ certificates (PEM)'],
      ['', 'tlscert', 'string', 'Certificate of the server (PEM)'],
      ['', 'tlskey', 'string', 'Key of the certificate (PEM)'],
    ],
    examples: [
      'jubako serve -H unix:///run/docker.sock --group docker',
      'jubako serve -- npm test',
      'jubako serve --allow read -H unix:///run/jubako/read.sock',
    ],
  },
  async run(flags, context) {
    if (flags.args.length > 0) return serveForCommand(flags.args, context)
    const operations = flags.list('allow')
    const labels = Object.fromEntries(flags.list('allow-label').map(parsePair))
    const allow = {
      ...(operations.length > 0 && { operations }),
      ...(Object.keys(labels).length > 0 && { labels }),
    }
    const listen = addresses(flags)
    const server = await context.faces.serve(await context.engine(), {
      listen,
      ...(Object.keys(allow).length > 0 && { allow }),
    })
    for (const at of server.addresses) context.out.line(`listening on ${at}`)
    await askedToEnd()
    await server.close()
    return EXIT.ok
  },
}

function parsePair(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
