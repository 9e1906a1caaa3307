import { appendFileSync, existsSync } from 'node:fs'
import { askedToEnd } from '../asked-to-end.js'
import type { Command, CommandContext, RegistryServeOptions } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import type { ParsedArgs } from '../flags/parse.js'
import { defaultHtpasswd } from '../registry-files.js'
import { keepHeapSmall } from '../small-heap.js'

const DEFAULT_ADDRESS = '127.0.0.1:5000'

function address(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:/]*):(\d{1,5})$/.exec(text)
  if (match === null || Number(match[2]) > 65_535) {
    throw new UsageError(`invalid address: ${text} (host:port)`, 'registry serve', EXIT.failure)
  }
  return { host: match[1]!.replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(match[2]) }
}

function tls(flags: ParsedArgs): { cert: string; key: string } | undefined {
  const [cert, key] = [flags.string('tls-cert'), flags.string('tls-key')]
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined) {
    throw new UsageError('--tls-cert and --tls-key belong together', 'registry serve', EXIT.failure)
  }
  return { cert, key }
}

/** A line of JSON for each request, to standard output or the end of a file. */
function accessLog(target: string, context: CommandContext): RegistryServeOptions['onAccess'] {
  if (target === 'none') return undefined
  if (target === '-') return (entry) => context.out.line(JSON.stringify(entry))
  return (entry) => appendFileSync(target, `${JSON.stringify(entry)}\n`, { mode: 0o640 })
}

const given = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]: V })

function options(flags: ParsedArgs, context: CommandContext): RegistryServeOptions {
  const root = flags.string('root')
  const standard = defaultHtpasswd(context, root)
  const htpasswd = flags.string('htpasswd') ?? (existsSync(standard) ? standard : undefined)
  return {
    ...address(flags.string('addr') ?? DEFAULT_ADDRESS),
    readonly: flags.bool('readonly'),
    insecure: flags.bool('insecure'),
    behindProxy: flags.bool('behind-proxy'),
    ...given('root', root),
    ...given('tls', tls(flags)),
    ...given('htpasswd', htpasswd),
    ...given('policy', flags.string('policy')),
    ...given('proxy', flags.string('proxy')),
    ...given('quotaBytes', flags.value<number>('quota')),
    ...given('maxBlobBytes', flags.value<number>('max-blob')),
    ...given('maxUploads', flags.number('max-uploads')),
    ...given('collectEveryMs', flags.value<number>('gc-interval')),
    ...given('graceMs', flags.value<number>('gc-grace')),
    ...given('onAccess', accessLog(flags.string('access-log') ?? '-', context)),
  }
}

export const command: Command = {
  spec: {
    name: 'registry serve',
    aliases: ['registry serve'],
    usage: '[OPTIONS]',
    summary: 'Serve a registry: the images of this machine, or a directory',
    args: [0, 0],
    flags: [
      ['', 'addr', 'string', 'Where to listen; port 0 takes a free one', { default: DEFAULT_ADDRESS }],
      ['', 'root', 'string', "Directory of the registry's content. Default: the images of this machine"],
      ['', 'tls-cert', 'string', 'Certificate (PEM): serve https'],
      ['', 'tls-key', 'string', 'Key of the certificate (PEM)'],
      ['', 'htpasswd', 'string', 'File of accounts (bcrypt). Default: htpasswd in the root, if it is there'],
      ['', 'policy', 'string', 'File that says who may pull, push and delete what (JSON)'],
      ['', 'insecure', 'bool', 'Listen beyond loopback without https or accounts'],
      ['', 'behind-proxy', 'bool', 'Believe X-Forwarded-For, -Host and -Proto: a proxy in front sets them'],
      ['', 'readonly', 'bool', 'Answer reads only'],
      ['', 'proxy', 'string', 'Cache this registry (URL) instead of taking pushes'],
      ['', 'quota', 'bytes', 'Refuse uploads when so much is stored'],
      ['', 'max-blob', 'bytes', 'Largest blob', { default: '100g' }],
      ['', 'max-uploads', 'int', 'Uploads at the same time', { default: '1000' }],
      ['', 'gc-interval', 'duration', 'Time between collections of garbage; 0s: none', { default: '1h' }],
      ['', 'gc-grace', 'duration', 'How long content stays that no manifest names', { default: '24h' }],
      [
        '',
        'access-log',
        'string',
        "File for a line of JSON per request; '-': standard output, 'none'",
        { default: '-' },
      ],
    ],
    examples: [
      'jubako registry serve',
      'jubako registry serve --root /srv/registry --addr 127.0.0.1:0',
      'jubako registry serve --addr :443 --tls-cert cert.pem --tls-key key.pem --htpasswd users --policy policy.json',
      'jubako registry serve --root /var/cache/hub --proxy https://registry-1.docker.io',
    ],
  },
  async run(flags, context) {
    keepHeapSmall()
    const server = await context.faces.serveRegistry(() => context.engine(), options(flags, context))
    context.out.line(`listening on ${server.url}`)
    await askedToEnd()
    await server.close()
    return EXIT.ok
  },
}
