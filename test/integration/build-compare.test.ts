// lanes: host
/**
 * The same Dockerfiles built here and by `buildah bud`, the results compared: names, kinds, modes, owners, contents and
 * configuration. Some of them; JUBAKO_ALL_DOCKERFILES=1 (npm run test:dockerfiles) builds all, also those on Debian.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Engine } from '../../src/engine/engine.js'
import { type DockerfileCase, dockerfileCases } from '../fixtures/dockerfiles.js'
import { busyboxImage, debianImage } from '../fixtures/images.js'
import { tool } from '../helpers/processes.js'

const all = process.env.JUBAKO_ALL_DOCKERFILES === '1'
const base = mkdtempSync(join(tmpdir(), 'jubako-compare-'))
const storage = ['--root', `${base}/buildah`, '--runroot', `${base}/buildah-run`, '--storage-driver', 'vfs']

/** Its copy of itself in memory is busy at times, which has nothing to do with the Dockerfile. */
async function buildah(command: string, ...args: string[]): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tool('buildah', [...storage, command, ...args])
    } catch (error) {
      if (attempt === 5 || !/sealing memfd copy/.test((error as Error).message)) throw error
    }
  }
}

const engine = await Engine.open({ root: `${base}/root`, runRoot: `${base}/run` })
t.teardown(async () => {
  await engine.close()
  rmSync(base, { recursive: true, force: true })
})

const images = { busybox: await busyboxImage(), ...(all && { debian: await debianImage() }) }
for (const [name, image] of Object.entries(images)) {
  const [{ imageId } = { imageId: '' }] = await engine.load(image.layout)
  await engine.tag(imageId, name)
  await engine.tag(imageId, `localhost/${name}`)
  const id = (await buildah('pull', '-q', `docker-archive:${await image.dockerArchive()}`)).trim()
  await buildah('tag', id, `localhost/${name}:latest`)
}

async function writeContext({ files = {}, dockerfile }: DockerfileCase): Promise<string> {
  const folder = mkdtempSync(join(base, 'context-'))
  for (const [path, file] of Object.entries(files)) {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    if (typeof file === 'object' && 'link' in file) symlinkSync(file.link, target)
    else {
      writeFileSync(target, typeof file === 'string' ? file : file.content)
      chmodSync(target, typeof file === 'string' ? 0o644 : file.mode)
    }
  }
  if (dockerfile.includes('archive.tar')) {
    const inside = mkdtempSync(join(base, 'archive-'))
    mkdirSync(`${inside}/in`)
    writeFileSync(`${inside}/in/file`, 'in the archive')
    chmodSync(`${inside}/in/file`, 0o640)
    const owners = ['--owner=7', '--group=8', '-C', inside, 'in']
    await tool('tar', ['-czf', `${folder}/archive.tar.gz`, ...owners])
    await tool('tar', ['-cf', `${folder}/archive.tar`, ...owners])
  }
  // Short names mean the local images for both.
  writeFileSync(join(folder, 'Dockerfile'), dockerfile.replace(/^(from) (busybox|debian)/gim, '$1 localhost/$2'))
  chmodSync(folder, 0o755)
  return folder
}

/** Made by the machinery of both, in the image or at run time. */
const MACHINERY = /^\/(dev|proc|sys|run|tmp|etc\/(hosts|hostname|resolv\.conf)|etc\/mtab)(\/|$)/

function snapshot(root: string, ignore: RegExp | undefined): Map<string, string> {
  const found = new Map<string, string>()
  const walk = (path: string) => {
    for (const name of readdirSync(join(root, path))) {
      const inside = `${path}/${name}`
      if (MACHINERY.test(inside) || ignore?.test(inside)) continue
      const info = lstatSync(join(root, inside))
      const owner = `${(info.mode & 0o7777).toString(8)} ${info.uid}:${info.gid}`
      if (info.isDirectory()) {
        found.set(inside, `directory ${owner}`)
        walk(inside)
      } else if (info.isSymbolicLink()) {
        found.set(inside, `link ${info.uid}:${info.gid} ${readlinkSync(join(root, inside))}`)
      } else if (info.isFile()) {
        const digest = createHash('sha256')
          .update(readFileSync(join(root, inside)))
          .digest('hex')
        found.set(inside, `file ${owner} ${digest}`)
      } else {
        found.set(inside, `other ${owner} ${info.mode >> 12}`)
      }
    }
  }
  walk('')
  return found
}

interface Config {
  Env?: string[]
  Cmd?: string[]
  Entrypoint?: string[]
  User?: string
  WorkingDir?: string
  Labels?: Record<string, string>
  ExposedPorts?: Record<string, unknown>
  Volumes?: Record<string, unknown>
  StopSignal?: string
}

function configuration(config: Config, name: string): Record<string, unknown> {
  const labels = Object.entries(config.Labels ?? {}).filter(([key]) => key !== 'io.buildah.version')
  return {
    env: [...(config.Env ?? [])].sort(),
    // As BuildKit has it a new entry point drops the base's command; buildah keeps none either.
    cmd: config.Cmd ?? [],
    entrypoint: config.Entrypoint ?? [],
    user: config.User ?? '',
    workdir: config.WorkingDir || '/',
    labels: Object.fromEntries(labels),
    ports: Object.keys(config.ExposedPorts ?? {}).sort(),
    volumes: Object.keys(config.Volumes ?? {}).sort(),
    stop: config.StopSignal ?? '',
    name,
  }
}

/** Every run builds these; the others take too long for it. */
const ALWAYS = new Set([
  'owners and modes',
  'names of targets',
  '.dockerignore',
  'files that are replaced and removed',
  'environment and arguments',
  'stages that give each other files',
  'configuration',
  'mounts of a step',
  'ADD of archives and files',
  "a directory of WORKDIR is its user's",
  "another stage's files, one by one",
])

for (const one of dockerfileCases.filter(({ name }) => all || ALWAYS.has(name))) {
  t.test(one.name, async (t) => {
    const folder = await writeContext(one)
    const args = Object.entries(one.args ?? {})
    const network = one.base === 'debian' ? 'host' : 'none'
    const { imageId, layers } = await engine.build({
      context: folder,
      args: one.args ?? {},
      ...(one.target !== undefined && { target: one.target }),
      limits: { network },
    })
    const ours = mkdtempSync(join(base, 'ours-'))
    await engine.build.exportTree(layers, ours)
    const tag = `localhost/result-${dockerfileCases.indexOf(one)}`
    const target = one.target === undefined ? [] : ['--target', one.target]
    const given = args.flatMap(([key, value]) => ['--build-arg', `${key}=${value}`])
    const isolation = ['--isolation', 'chroot', '--network', 'host']
    await buildah('bud', '-q', '--format', 'docker', ...isolation, ...target, ...given, '-t', tag, folder)
    const container = (await buildah('from', '--pull-never', tag)).trim()
    const theirs = (await buildah('mount', container)).trim()
    const [mine, other] = [snapshot(ours, one.ignore?.path), snapshot(theirs, one.ignore?.path)]
    const differences = [...new Set([...mine.keys(), ...other.keys()])]
      .filter((path) => mine.get(path) !== other.get(path))
      .map((path) => `${path}: ${mine.get(path) ?? 'nothing'} | buildah: ${other.get(path) ?? 'nothing'}`)
    t.strictSame(differences, [])
    t.ok(mine.size > 0)
    const said = JSON.parse(await buildah('inspect', '--type', 'image', tag)) as { Docker: { config: Config } }
    const inspected = (await engine.inspectImage(imageId!)) as { Config: Config }
    t.strictSame(configuration(inspected.Config, one.name), configuration(said.Docker.config, one.name))
    await buildah('umount', container)
    await buildah('rm', container)
    rmSync(ours, { recursive: true })
  })
}
