import { execFile } from 'node:child_process'
import { createWriteStream, existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { JubakoError } from '../errors/index.js'

const REMOTE_LIMIT = 16 * 2 ** 30

/** A file of the network, for ADD and contexts. */
export async function downloadFile(
  url: string,
  target: string,
  signal: AbortSignal | undefined,
): Promise<{ modified: number | undefined }> {
  const { request, interceptors, Agent } = await import('undici')
  const dispatcher = new Agent().compose(interceptors.redirect({ maxRedirections: 10 }))
  try {
    const answer = await request(url, { dispatcher, signal, headersTimeout: 60_000, bodyTimeout: 60_000 })
    if (answer.statusCode !== 200) {
      await answer.body.dump()
      throw new JubakoError('ERR_JUBAKO_NETWORK', `failed to load ${url}: invalid response status ${answer.statusCode}`)
    }
    let size = 0
    const limited = async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        size += chunk.length
        if (size > REMOTE_LIMIT) throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `${url} is larger than 16 GiB`)
        yield chunk
      }
    }
    await pipeline(answer.body, limited, createWriteStream(target, { mode: 0o600 }))
    const modified = Date.parse(String(answer.headers['last-modified'] ?? ''))
    return { modified: Number.isNaN(modified) ? undefined : modified }
  } catch (error) {
    if (error instanceof JubakoError || signal?.aborted) throw error
    throw new JubakoError('ERR_JUBAKO_NETWORK', `failed to load ${url}: ${(error as Error).message}`, { cause: error })
  } finally {
    await dispatcher.close()
  }
}

/** Only what git needs; nothing of the caller's configuration decides (CVE-2019-13139). */
const GIT_ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_PROTOCOL_FROM_USER: '0',
  LC_ALL: 'C',
}

/** A commit of a repository. */
export interface RepositoryOptions {
  remote: string
  /** undefined: the remote's HEAD. */
  ref: string | undefined
  keepGitDir: boolean
  submodules: boolean
}

/** Fetches one commit into an empty directory. @returns its full id */
export async function cloneRepository(
  { remote, ref, keepGitDir, submodules }: RepositoryOptions,
  target: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const git = (...args: string[]) => runGit(['-C', target, ...args], signal)
  await git('init', '--quiet')
  await git('config', 'protocol.file.allow', 'user')
  await git('remote', 'add', 'origin', remote)
  await git(
    '-c',
    'protocol.ext.allow=never',
    'fetch',
    '--quiet',
    '--depth=1',
    '--no-tags',
    'origin',
    '--',
    ref ?? 'HEAD',
  )
  await git('-c', 'advice.detachedHead=false', 'checkout', '--quiet', '--force', 'FETCH_HEAD')
  const commit = (await git('rev-parse', 'HEAD')).trim()
  if (submodules && existsSync(join(target, '.gitmodules'))) {
    await git('-c', 'protocol.ext.allow=never', 'submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1')
  }
  if (!keepGitDir) await rm(join(target, '.git'), { recursive: true, force: true })
  return commit
}

function runGit(args: string[], signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      'git',
      args,
      { env: GIT_ENVIRONMENT, encoding: 'utf8', ...(signal && { signal }) },
      (error, out, problem) => {
        if (error === null) return resolve(out)
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
          return reject(
            new JubakoError('ERR_JUBAKO_UNSUPPORTED', 'git is not installed', {
              hint: 'install git to build from repositories',
            }),
          )
        }
        const said = problem.trim().split('\n').at(-1) ?? error.message
        reject(new JubakoError('ERR_JUBAKO_NETWORK', `git: ${said}`, { cause: error }))
      },
    )
  })
}
