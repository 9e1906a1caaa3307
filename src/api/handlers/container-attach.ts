import type { Duplex } from 'node:stream'
import type { Container } from '../../engine/types.js'
import type { Call } from '../call.js'
import { parseDetachKeys } from '../detach-keys.js'
import { ApiError } from '../errors.js'
import { closeOrderly } from '../http/close.js'
import { Output, runSession, type SessionOptions, sessionSink } from '../session.js'
import type { Sink } from '../streams.js'
import { streamType } from '../streams.js'
import { acceptWebSocket } from '../websocket.js'

interface Attach extends SessionOptions {
  logs: boolean
  stream: boolean
}

async function read(call: Call, container: Container): Promise<Attach> {
  const { query } = call
  const { tty, stdinOnce } = await container.settings()
  return {
    wanted: { stdin: query.bool('stdin'), stdout: query.bool('stdout'), stderr: query.bool('stderr') },
    logs: query.bool('logs'),
    stream: query.bool('stream'),
    keys: parseDetachKeys(query.text('detachKeys')),
    tty,
    closesStdin: stdinOnce && !tty,
  }
}

async function replay(container: Container, sink: Sink): Promise<void> {
  for await (const { stream, data } of container.logs()) {
    if (!(await sink.write(stream === 'stdout' ? 1 : 2, data))) return
  }
}

/** Attaches what `open` makes of the connection. */
async function attach(call: Call, open: (tty: boolean) => Promise<Duplex>, multiplex: boolean): Promise<void> {
  await call.skipBody()
  const container = await call.resident.container(call.params.id!)
  const { state } = await container.summary()
  if (state === 'paused') {
    throw new ApiError(409, `container ${container.id} is paused, unpause the container before attach`)
  }
  if (state === 'restarting') {
    throw new ApiError(409, `container ${container.id} is restarting, wait until the container is running`)
  }
  const options = await read(call, container)
  const running = state === 'running' && options.stream ? await container.attach(options.wanted) : undefined
  let socket: Duplex
  try {
    socket = await open(options.tty)
  } catch (error) {
    running?.detach()
    throw error
  }
  socket.on('error', () => {})
  const sink = sessionSink(socket, multiplex ? options : { ...options, tty: true })
  if (options.logs) await replay(container, sink).catch(() => {})
  if (!options.stream) return closeOrderly(socket)
  if (running === undefined) return waitForStart(call, container, socket, sink, options)
  const output = call.resident.starts.track(container.id, new Output(running, [sink]).begin())
  await runSession(socket, output, sink, options)
  running.detach()
  closeOrderly(socket)
}

/** The client is attached from the container's first byte on, whenever that is. */
function waitForStart(call: Call, container: Container, socket: Duplex, sink: Sink, options: Attach): void {
  const begin = async (output: Output) => {
    await runSession(socket, output, sink, options)
    closeOrderly(socket)
  }
  const leave = call.resident.starts.attachEarly(container.id, {
    wanted: options.wanted,
    sink,
    begin: (output) => {
      socket.off('close', leave)
      void begin(output)
    },
    abandon: () => closeOrderly(socket),
  })
  socket.on('close', leave)
}

export async function containerAttach(call: Call): Promise<void> {
  await attach(call, async (tty) => call.hijack(streamType(tty, call.version)), true)
}

/** The same over a websocket, without the multiplexed framing. */
export async function containerAttachWebsocket(call: Call): Promise<void> {
  await attach(call, () => acceptWebSocket(call), false)
}
