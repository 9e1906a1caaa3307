import { isJubakoError, JubakoError } from '../errors/index.js'
import { deviceVolume } from '../runtime/index.js'
import type { FileEntry, Files, WriteFileOptions } from './container-types.js'
import type { EngineContext } from './context.js'
import { feedJob, listIn, readIn, unpackAt, type WithRoot, withDirectory, writing } from './file-jobs.js'

/** Where the files of a volume are on the host. */
async function directoryOf(context: EngineContext, name: string): Promise<string> {
  const device = await deviceVolume(context.volumes.get(name).options)
  if (device === undefined) return context.volumes.mountpoint(name)
  if (device.kind === 'bind') return device.source
  throw new JubakoError(
    'ERR_JUBAKO_UNSUPPORTED',
    `volume ${name} is a ${device.type} that the kernel mounts in containers: its files are only there`,
    { path: name, hint: 'use container.files of a running container that has it' },
  )
}

/** The files of a volume: every path is resolved by a jailed worker, inside the volume. */
export function volumeFiles(context: EngineContext, name: string): Files {
  const withRoot: WithRoot = async (work) => withDirectory(await directoryOf(context, name), work)
  const what = (path: string) => `cannot access ${path} in volume ${name}`
  const named =
    (path: string) =>
    async <T>(work: Promise<T>) => {
      try {
        return await work
      } catch (error) {
        if (!isJubakoError(error) || error.errnoName !== 'ENOENT') throw error
        const message = `Could not find the file ${path} in volume ${name}`
        throw new JubakoError('ERR_JUBAKO_NOT_FOUND', message, { cause: error, path })
      }
    }
  async function read(path: string): Promise<Buffer>
  async function read(path: string, encoding: BufferEncoding): Promise<string>
  async function read(path: string, encoding?: BufferEncoding): Promise<Buffer | string> {
    const bytes = await readIn(withRoot, path, named(path), what(path))
    return encoding === undefined ? bytes : bytes.toString(encoding)
  }
  return {
    read,
    async write(path: string, data: string | Uint8Array, options: WriteFileOptions = {}) {
      const { directory, archive } = writing(path, data, options)
      await named(path)(feedJob(archive, (fd) => withRoot((root) => unpackAt(root, fd, directory, {}, what(path)))))
    },
    list: (path: string): Promise<FileEntry[]> => listIn(withRoot, path, named(path), what(path)),
  }
}
