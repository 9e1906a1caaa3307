/** A headless Chromium, spoken to by its own protocol (Chrome DevTools Protocol). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import WebSocket from 'ws'
import { TOOL_ENV } from './processes.js'

type Params = Record<string, unknown>
type Listener = (method: string, params: Params) => void

/** One connection to a target of the browser. */
class Connection {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, { done(value: Params): void; failed(error: Error): void }>()
  readonly listeners: Listener[] = []
  #next = 1

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as {
        id?: number
        result?: Params
        error?: { message: string }
        method?: string
        params?: Params
      }
      if (message.id === undefined) {
        for (const listener of this.listeners) listener(message.method!, message.params ?? {})
        return
      }
      const waiting = this.#waiting.get(message.id)
      this.#waiting.delete(message.id)
      if (message.error !== undefined) waiting?.failed(new Error(message.error.message))
      else waiting?.done(message.result ?? {})
    })
  }

  static async to(url: string): Promise<Connection> {
    const socket = new WebSocket(url, { perMessageDeflate: false })
    await once(socket, 'open')
    return new Connection(socket)
  }

  send<T = Params>(method: string, params: Params = {}): Promise<T> {
    const id = this.#next++
    this.#socket.send(JSON.stringify({ id, method, params }))
    return new Promise((done, failed) => this.#waiting.set(id, { done: (value) => done(value as T), failed }))
  }

  close(): void {
    this.#socket.terminate()
  }
}

/** A page of the browser. */
export class Page {
  /** URLs that were asked for since it was opened. */
  readonly requests: string[] = []
  /** What the browser complained about. */
  readonly problems: string[] = []
  #login: { username: string; password: string } | undefined
  #status = 0
  #loaded: () => void = () => {}

  constructor(private readonly connection: Connection) {
    connection.listeners.push((method, params) => this.#heard(method, params))
  }

  #heard(method: string, params: Params): void {
    const { connection } = this
    if (method === 'Network.requestWillBeSent') this.requests.push((params.request as { url: string }).url)
    if (method === 'Network.responseReceived' && params.type === 'Document') {
      this.#status = (params.response as { status: number }).status
    }
    if (method === 'Log.entryAdded') {
      const { text, url } = params.entry as { text: string; url?: string }
      if (!url?.endsWith('/favicon.ico')) this.problems.push(text)
    }
    if (method === 'Runtime.exceptionThrown') this.problems.push(JSON.stringify(params))
    if (method === 'Page.loadEventFired') this.#loaded()
    const id = params.requestId
    if (method === 'Fetch.requestPaused') void connection.send('Fetch.continueRequest', { requestId: id })
    if (method === 'Fetch.authRequired') {
      const login = this.#login
      const answer = login === undefined ? { response: 'CancelAuth' } : { response: 'ProvideCredentials', ...login }
      void connection.send('Fetch.continueWithAuth', { requestId: id, authChallengeResponse: answer })
    }
  }

  async #load(act: () => Promise<unknown>): Promise<number> {
    let timer: NodeJS.Timeout | undefined
    const loaded = new Promise<void>((done, failed) => {
      this.#loaded = done
      timer = setTimeout(() => failed(new Error('the page did not load in 30 s')), 30_000)
    })
    try {
      await act()
      await loaded
      return this.#status
    } finally {
      clearTimeout(timer)
    }
  }

  /** @returns the status */
  go(url: string, login?: { username: string; password: string }): Promise<number> {
    this.#login = login
    return this.#load(() => this.connection.send('Page.navigate', { url }))
  }

  /** Clicks on a link, and waits for the page that it leads to. */
  async click(selector: string): Promise<void> {
    await this.#load(() => this.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`))
  }

  async key(key: string): Promise<void> {
    for (const type of ['rawKeyDown', 'keyUp']) {
      const code = { Tab: 9 }[key] ?? 0
      await this.connection.send('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: code })
    }
  }

  /** Of a promise what it comes to. */
  async evaluate<T = unknown>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.connection.send<{
      result: { value: T }
      exceptionDetails?: { exception?: { description?: string } }
    }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? expression)
    return result.value
  }

  text(selector: string): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`)
  }

  texts(selector: string): Promise<string[]> {
    return this.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((it) => it.innerText)`)
  }

  /** Has the page look as for who wants it light or dark. */
  async colors(scheme: 'light' | 'dark'): Promise<void> {
    const features = [{ name: 'prefers-color-scheme', value: scheme }]
    await this.connection.send('Emulation.setEmulatedMedia', { features })
  }

  /** PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.connection.send<{ data: string }>('Page.captureScreenshot')
    return Buffer.from(data, 'base64')
  }

  /** What assistive technology is told. */
  async accessibility(): Promise<{ role: string; name: string }[]> {
    const { nodes } = await this.connection.send<{
      nodes: { ignored: boolean; role?: { value: string }; name?: { value: string } }[]
    }>('Accessibility.getFullAXTree')
    return nodes
      .filter(({ ignored }) => !ignored)
      .map(({ role, name }) => ({ role: role?.value ?? '', name: name?.value ?? '' }))
  }
}

export class Browser {
  private constructor(
    private readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  /** Ends with the test. */
  static async start(t: Test): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'jubako-browser-'))
    const child = spawn(
      'chromium',
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--no-first-run',
        '--disable-background-networking',
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        'about:blank',
      ],
      { env: { ...TOOL_ENV, HOME: profile, TMPDIR: profile }, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const ended = once(child, 'close')
    t.teardown(async () => {
      // Asked to end it takes its children along; they write to the profile.
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(timer)
      await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    })
    let said = ''
    for await (const chunk of child.stderr!) {
      said += (chunk as Buffer).toString()
      const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]
      if (port !== undefined) return new Browser(Number(port), child)
    }
    throw new Error(`chromium did not start: ${said.slice(-2000)}`)
  }

  /** @param size of the window, in CSS pixels; a narrow one is a phone's */
  async open(url: string, size?: { width: number; height: number }): Promise<Page> {
    if (this.child.exitCode !== null) throw new Error('chromium has ended')
    const response = await fetch(`http://127.0.0.1:${this.port}/json/new?about:blank`, { method: 'PUT' })
    const { webSocketDebuggerUrl } = (await response.json()) as { webSocketDebuggerUrl: string }
    const connection = await Connection.to(webSocketDebuggerUrl)
    const page = new Page(connection)
    for (const domain of ['Page', 'Network', 'Runtime', 'Log', 'Accessibility'])
      await connection.send(`${domain}.enable`)
    await connection.send('Fetch.enable', { handleAuthRequests: true })
    if (size !== undefined) {
      await connection.send('Emulation.setDeviceMetricsOverride', { ...size, deviceScaleFactor: 2, mobile: true })
    }
    await page.go(url)
    return page
  }
}
