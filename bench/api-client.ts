/** One client of the Docker Engine API over a socket, the same for every engine. */
import { Agent, request } from 'node:http'
import { connect } from 'node:net'

export class ApiClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })

  constructor(
    readonly name: string,
    private readonly socketPath: string,
    /** What the benchmark's image is called there. */
    private readonly image: string,
  ) {}

  /** @throws Error for a status that is not a success */
  ask<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    const data = body === undefined ? '' : JSON.stringify(body)
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(data) }
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.socketPath, agent: this.#agent, method, path, headers }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          if ((answer.statusCode ?? 500) >= 300) return reject(new Error(`${this.name}: ${method} ${path}: ${text}`))
          resolve((text === '' ? {} : JSON.parse(text)) as T)
        })
      })
      sent.on('error', reject)
      sent.end(data)
    })
  }

  /** A hijacked request; resolves with the number of bytes at the stream's end. `begun` is called when the head is here. */
  hijack(path: string, body: unknown, begun?: () => void): Promise<number> {
    const data = JSON.stringify(body)
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: docker',
      'Connection: Upgrade',
      'Upgrade: tcp',
      'Content-Type: application/json',
      `Content-Length: ${data.length}`,
    ]
    return new Promise((resolve, reject) => {
      const socket = connect(this.socketPath)
      let text = ''
      let size = 0
      socket.on('error', reject)
      socket.on('data', (chunk: Buffer) => {
        if (size > 0 || text.includes('\r\n\r\n')) {
          size += chunk.length
          return
        }
        text += chunk.toString('latin1')
        const end = text.indexOf('\r\n\r\n')
        if (end < 0) return
        if (!text.startsWith('HTTP/1.1 101')) reject(new Error(`${this.name}: ${path}: ${text}`))
        size = text.length - end - 4
        begun?.()
      })
      socket.on('end', () => {
        socket.end()
        resolve(size)
      })
      socket.write(`${head.join('\r\n')}\r\n\r\n${data}`)
    })
  }

  async create(command: readonly string[], more: Record<string, unknown> = {}): Promise<string> {
    const { HostConfig, ...config } = more
    const body = {
      Image: this.image,
      Cmd: command,
      ...config,
      HostConfig: { NetworkMode: 'none', ...((HostConfig as object | undefined) ?? {}) },
    }
    return (await this.ask<{ Id: string }>('POST', '/containers/create', body)).Id
  }

  start(id: string): Promise<unknown> {
    return this.ask('POST', `/containers/${id}/start`)
  }

  remove(id: string): Promise<unknown> {
    return this.ask('DELETE', `/containers/${id}?force=1`)
  }

  /** Create, start, wait and remove. */
  async life(network: string): Promise<void> {
    const id = await this.create(['/bin/true'], { HostConfig: { NetworkMode: network } })
    await this.start(id)
    const { StatusCode } = await this.ask<{ StatusCode: number }>('POST', `/containers/${id}/wait`)
    await this.ask('DELETE', `/containers/${id}`)
    if (StatusCode !== 0) throw new Error(`${this.name}: /bin/true ended with ${StatusCode}`)
  }

  /** Create an exec, run it to the end of its output, ask for its exit code. */
  async exec(container: string): Promise<void> {
    const body = { Cmd: ['/bin/true'], AttachStdout: true, AttachStderr: true }
    const { Id } = await this.ask<{ Id: string }>('POST', `/containers/${container}/exec`, body)
    await this.hijack(`/exec/${Id}/start`, { Detach: false, Tty: false })
    // dockerd ends the stream a little before it knows of the exit.
    for (;;) {
      const { Running, ExitCode } = await this.ask<{ Running: boolean; ExitCode: number }>('GET', `/exec/${Id}/json`)
      if (Running) continue
      if (ExitCode !== 0) throw new Error(`${this.name}: /bin/true ended with ${ExitCode}`)
      return
    }
  }

  /** Attaches to a container that writes, and starts it. Bytes received. */
  async attach(command: readonly string[], log: string): Promise<number> {
    const id = await this.create(command, { AttachStdout: true, HostConfig: { LogConfig: { Type: log } } })
    let started: Promise<unknown> | undefined
    const size = await this.hijack(`/containers/${id}/attach?stream=1&stdout=1`, {}, () => {
      started = this.start(id)
      started.catch(() => {})
    })
    await started
    await this.remove(id)
    return size
  }

  close(): void {
    this.#agent.destroy()
  }
}
