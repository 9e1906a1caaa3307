import { spawn } from 'node:child_process'
import { Parser } from 'tap-parser'
import { ROOT } from './root.mjs'

/**
 * @typedef {{ file: string, output: string, code: number | null, signal: string | null, ms: number, timedOut: boolean }} FileRun
 * @typedef {{ name: string, reason: string }} Skip
 * @typedef {{ passed: number, failures: string[], skips: Skip[] }} Verdict
 */

/**
 * Runs one compiled test file in a process group of its own; when it takes too long, the group is killed.
 *
 * @param {string} file Path relative to the checkout.
 * @param {{ timeoutMs: number, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<FileRun>}
 */
export function runFile(file, { timeoutMs, env = process.env }) {
  return new Promise((settle) => {
    const started = performance.now()
    const child = spawn(process.execPath, ['--enable-source-maps', file], {
      cwd: ROOT,
      // The limit is this runner's: tap's own of 30 s ends a test in the middle and hides what it waited for.
      // No test raises a bridge in the host's own network namespace by not naming a network.
      env: { JUBAKO_NETWORK: 'none', ...env, TAP: '1', TAP_TIMEOUT: String(Math.ceil(timeoutMs / 1000) + 60) },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let timedOut = false
    const collect = (chunk) => {
      output += chunk
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', (chunk) => collect(chunk.replace(/^(?=.)/gm, '# ')))
    const killGroup = (signal) => {
      try {
        process.kill(-child.pid, signal)
      } catch {
        // the group is gone
      }
    }
    const grace = []
    const timer = setTimeout(() => {
      timedOut = true
      killGroup('SIGTERM')
      grace.push(setTimeout(() => killGroup('SIGKILL'), 5000))
    }, timeoutMs)
    // A left-over descendant may hold the pipes open for ever: the exit decides, after a moment for the last bytes.
    const done = (code, signal) => {
      clearTimeout(timer)
      grace.forEach(clearTimeout)
      child.stdout.destroy()
      child.stderr.destroy()
      settle({ file, output, code, signal, ms: performance.now() - started, timedOut })
    }
    child.on('error', (error) => {
      output += `# ${error.message}\n`
      done(null, null)
    })
    child.on('exit', (code, signal) => {
      const late = setTimeout(() => done(code, signal), 2000)
      child.on('close', () => {
        clearTimeout(late)
        done(code, signal)
      })
    })
  })
}

/** The parser's own plan for an empty output. */
const NOTHING = 'no tests found'

function watch(parser, path, verdict) {
  parser.on('child', (child) => watch(child, [...path, child.name], verdict))
  parser.on('assert', (point) => {
    const name = [...path, point.name].join(' > ')
    if (point.skip) verdict.skips.push({ name, reason: point.skip === true ? '' : point.skip })
    else if (point.todo) verdict.failures.push(`${name} (todo)`)
    else if (path.length > 0) return
    else if (point.ok) verdict.passed++
    else verdict.failures.push(name)
  })
  parser.on('plan', (plan) => {
    if (plan.end < plan.start && plan.comment !== NOTHING) {
      verdict.skips.push({ name: path.join(' > ') || 'the whole file', reason: plan.comment ?? '' })
    }
  })
}

/**
 * Reads what a test file printed: top-level tests count, skips count wherever they are nested.
 *
 * @param {FileRun} run
 * @returns {Verdict}
 */
export function judge(run) {
  /** @type {Verdict} */
  const verdict = { passed: 0, failures: [], skips: [] }
  const parser = new Parser({ name: '' })
  watch(parser, [], verdict)
  let final
  parser.on('complete', (results) => {
    final = results
  })
  parser.end(run.output)
  if (run.timedOut) verdict.failures.push('took too long and was killed')
  else if (run.code !== 0 && verdict.failures.length === 0) {
    verdict.failures.push(`ended with ${run.signal ?? `exit code ${run.code}`}`)
  }
  if (!final?.ok && verdict.failures.length === 0) verdict.failures.push('its TAP is not complete')
  if (verdict.passed + verdict.failures.length + verdict.skips.length === 0) verdict.failures.push('ran no test')
  return verdict
}

/** Runs `act` on every item, `jobs` at a time, in order of the list. */
export async function pool(items, jobs, act) {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(item)
  }
  await Promise.all(Array.from({ length: jobs }, worker))
}
