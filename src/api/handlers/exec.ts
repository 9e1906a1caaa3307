import type { Container } from '../../engine/types.js'
import type { Call } from '../call.js'
import { parseDetachKeys } from '../detach-keys.js'
import { ApiError, badRequest, messageOf } from '../errors.js'
import type { Exec } from '../execs.js'
import { closeOrderly } from '../http/close.js'
import { Output, runSession, sessionSink } from '../session.js'
import { socketSink, streamType } from '../streams.js'
import { size } from './container-state.js'

export async function execCreate(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  const body = await call.json('ExecConfig', { required: true })
  const command = body.words('Cmd') ?? []
  if (command.length === 0) throw badRequest('No exec command specified')
  const { state } = await container.summary()
  if (state === 'paused') {
    throw new ApiError(409, `Container ${container.id} is paused, unpause the container before exec`)
  }
  if (state !== 'running') throw new ApiError(409, `container ${container.id} is not running`)
  const detachKeys = body.string('DetachKeys') ?? ''
  parseDetachKeys(detachKeys)
  const exec = call.resident.execs.create(container.id, {
    command,
    env: body.strings('Env'),
    workdir: body.string('WorkingDir') || undefined,
    user: body.string('User') || undefined,
    privileged: body.bool('Privileged') ?? false,
    tty: body.bool('Tty') ?? false,
    stdin: body.bool('AttachStdin') ?? false,
    stdout: body.bool('AttachStdout') ?? false,
    stderr: body.bool('AttachStderr') ?? false,
    detachKeys,
  })
  await call.reply.json(201, { Id: exec.id })
}

function startProcess(container: Container, { id, request }: Exec, detach: boolean, consoleSize: number[] | undefined) {
  const [rows, columns] = consoleSize ?? []
  return container.exec(request.command, {
    id,
    tty: request.tty,
    stdin: request.stdin && !detach,
    privileged: request.privileged,
    ...(request.env !== undefined && { env: request.env }),
    ...(request.workdir !== undefined && { workdir: request.workdir }),
    ...(request.user !== undefined && { user: request.user }),
    ...(request.tty && columns !== undefined && rows !== undefined && { columns, rows }),
  })
}

/** Starts the process of an exec; from then on its end is known. */
async function begin(call: Call, exec: Exec, detach: boolean, consoleSize: number[] | undefined) {
  const container = await call.resident.container(exec.containerId)
  const process = await startProcess(container, exec, detach, consoleSize).catch((error: unknown) => {
    exec.state = 'ended'
    exec.endedAt = Date.now()
    const exitCode = CODES[(error as { code?: string }).code ?? '']
    if (exitCode !== undefined) exec.exit = { exitCode, signal: null, oomKilled: false }
    throw error
  })
  exec.process = process
  exec.ended = process.wait().then((status) => {
    exec.exit = status
    exec.state = 'ended'
    exec.endedAt = Date.now()
  })
  return process
}

export async function execStart(call: Call): Promise<void> {
  const exec = call.resident.execs.find(call.params.id!)
  const body = await call.json('ExecStartConfig')
  const detach = body.bool('Detach') ?? false
  const consoleSize = body.ints('ConsoleSize')
  if (consoleSize !== undefined && consoleSize.length !== 2) throw badRequest('ConsoleSize is [height, width]')
  if (exec.state !== 'created') throw new ApiError(409, `Error: Exec command ${exec.id} has already run`)
  exec.state = 'running'
  if (detach) {
    const process = await begin(call, exec, true, consoleSize)
    process.stdout?.resume()
    process.stderr?.resume()
    await call.reply.empty(200)
    return
  }
  const { request } = exec
  const keys = parseDetachKeys(request.detachKeys)
  const wanted = { stdin: request.stdin, stdout: request.stdout, stderr: request.stderr }
  const options = { wanted, tty: request.tty, keys, closesStdin: true }
  let process: Awaited<ReturnType<typeof begin>>
  try {
    process = await begin(call, exec, false, consoleSize)
  } catch (error) {
    if (exec.exit === undefined) throw error
    // As docker has it: a command that cannot be started says so in its output, and its exit code is a shell's.
    const socket = call.hijack(streamType(request.tty, call.version))
    socket.on('error', () => {})
    await socketSink(socket, !request.tty).write(1, Buffer.from(`${messageOf(error)}\r\n`))
    closeOrderly(socket)
    return
  }
  const socket = call.hijack(streamType(request.tty, call.version))
  socket.on('error', () => {})
  const sink = sessionSink(socket, options)
  const how = await runSession(socket, new Output(process, [sink]).begin(), sink, options)
  // Who sees the end of the stream may ask for the exit code.
  if (how === 'ended') await exec.ended
  closeOrderly(socket)
}

const CODES: Readonly<Record<string, number>> = {
  ERR_JUBAKO_COMMAND_NOT_FOUND: 127,
  ERR_JUBAKO_COMMAND_NOT_EXECUTABLE: 126,
}

export async function execInspect(call: Call): Promise<void> {
  const exec = call.resident.execs.find(call.params.id!)
  const { request } = exec
  await call.reply.json(200, {
    ID: exec.id,
    Running: exec.state === 'running',
    ExitCode: exec.exit?.exitCode ?? null,
    ProcessConfig: {
      tty: request.tty,
      entrypoint: request.command[0],
      arguments: request.command.slice(1),
      privileged: request.privileged,
      ...(request.user !== undefined && { user: request.user }),
    },
    OpenStdin: request.stdin,
    OpenStderr: request.stderr,
    OpenStdout: request.stdout,
    CanRemove: exec.state === 'ended',
    ContainerID: exec.containerId,
    DetachKeys: request.detachKeys,
    Pid: exec.process?.pid ?? 0,
  })
}

export async function execResize(call: Call): Promise<void> {
  const exec = call.resident.execs.find(call.params.id!)
  const { columns, rows } = size(call)
  if (exec.state !== 'running' || exec.process === undefined) {
    throw new ApiError(409, `cannot resize a stopped exec: ${exec.id}`)
  }
  await exec.process.resize(columns, rows)
  await call.reply.empty(200)
}
