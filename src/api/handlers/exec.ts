import type { Call } from '../call.js'
import { parseDetachKeys } from '../detach-keys.js'
import { ApiError, badRequest, messageOf } from '../errors.js'
import type { Exec } from '../execs.js'
import { closeOrderly } from '../http/close.js'
import { Output, runSession, sessionSink } from '../session.js'
import { streamType } from '../streams.js'
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

/** Starts the process of an exec; from then on its end is known. */
async function begin(call: Call, exec: Exec, detach: boolean, consoleSize: number[] | undefined) {
  const { request } = exec
  const container = await call.resident.container(exec.containerId)
  const [rows, columns] = consoleSize ?? []
  const process = await container.exec(request.command, {
    tty: request.tty,
    stdin: request.stdin && !detach,
    privileged: request.privileged,
    ...(request.env !== undefined && { env: request.env }),
    ...(request.workdir !== undefined && { workdir: request.workdir }),
    ...(request.user !== undefined && { user: request.user }),
    ...(request.tty && columns !== undefined && rows !== undefined && { columns, rows }),
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
  let process: Awaited<ReturnType<typeof begin>>
  try {
    process = await begin(call, exec, detach, consoleSize)
  } catch (error) {
    // What cannot be started has ended with the code that a shell gives it.
    exec.state = 'ended'
    exec.endedAt = Date.now()
    exec.exit = { exitCode: exitCodeOf(error), signal: null, oomKilled: false }
    if (exec.exit.exitCode === 0 || detach) throw error
    throw new ApiError(400, messageOf(error))
  }
  const { request } = exec
  if (detach) {
    process.stdout?.resume()
    process.stderr?.resume()
    await call.reply.empty(200)
    return
  }
  const socket = call.hijack(streamType(request.tty, call.version))
  socket.on('error', () => {})
  const options = {
    wanted: { stdin: request.stdin, stdout: request.stdout, stderr: request.stderr },
    tty: request.tty,
    keys: parseDetachKeys(request.detachKeys),
    closesStdin: true,
  }
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

const exitCodeOf = (error: unknown): number => CODES[(error as { code?: string }).code ?? ''] ?? 0

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
