import { familiarReference, parseReference, withDefaultTag } from '../../oci/reference.js'
import type { Call } from '../call.js'
import { badRequest } from '../errors.js'
import { JsonLines } from '../progress.js'
import { headerCredentials } from '../registry-auth.js'

/** `name` with its tag or digest, which come apart in a query. */
function joined(name: string, tag: string): string {
  if (tag === '') return name
  return `${name}${tag.startsWith('sha256:') ? '@' : ':'}${tag}`
}

export async function imageCreate(call: Call): Promise<void> {
  const { query } = call
  const source = query.given('fromSrc')
  if (source !== undefined) return importImage(call, source)
  const name = query.given('fromImage')
  if (name === undefined) throw badRequest('fromImage or fromSrc is needed')
  const lines = new JsonLines(call)
  const platform = query.given('platform')
  const options = {
    ...headerCredentials(call.header('x-registry-auth')),
    ...(platform !== undefined && { platform }),
    onProgress: lines.onProgress,
    signal: call.signal,
  }
  const parsed = parseReference(joined(name, query.text('tag')))
  const all = parsed.tag === undefined && parsed.digest === undefined
  await lines.run(async () => {
    // The command line always names a tag, unless it wants every one.
    if (all) await call.engine.images.pullAll(name, options)
    else await call.engine.images.pull(familiarReference(parsed), options)
  })
}

async function importImage(call: Call, source: string): Promise<void> {
  const { query } = call
  const [repo, platform, message] = [query.given('repo'), query.given('platform'), query.given('message')]
  const lines = new JsonLines(call)
  await lines.run(async () => {
    const { imageId } = await call.engine.images.import(source === '-' ? call.body() : new URL(source), {
      ...(repo !== undefined && { reference: joined(repo, query.text('tag')) }),
      ...(platform !== undefined && { platform }),
      ...(message !== undefined && { message }),
      changes: query.all('changes').filter((it) => it !== ''),
      onProgress: lines.onProgress,
      signal: call.signal,
    })
    lines.send({ status: imageId })
  })
}

export async function imagePush(call: Call): Promise<void> {
  const { query } = call
  const name = joined(call.params.name!, query.text('tag'))
  const parsed = parseReference(name)
  const platform = query.given('platform')
  const lines = new JsonLines(call)
  await lines.run(async () => {
    const pushed = await call.engine.images.push(name, {
      ...headerCredentials(call.header('x-registry-auth')),
      ...(platform !== undefined && { platform }),
      allTags: parsed.tag === undefined && parsed.digest === undefined,
      onProgress: lines.onProgress,
      signal: call.signal,
    })
    for (const { reference, digest, size } of pushed) {
      const { tag } = withDefaultTag(parseReference(reference))
      lines.send({ progressDetail: {}, aux: { Tag: tag ?? '', Digest: digest, Size: size } })
    }
  })
}

export async function imageLoad(call: Call): Promise<void> {
  const lines = new JsonLines(call)
  const quiet = call.query.bool('quiet')
  const platform = call.query.given('platform')
  await lines.run(async () => {
    const loaded = await call.engine.images.load(call.body(), {
      signal: call.signal,
      ...(!quiet && { onProgress: lines.onProgress }),
      ...(platform !== undefined && { platform }),
    })
    for (const { references, imageId } of loaded) {
      for (const reference of references) {
        lines.send({ stream: `Loaded image: ${familiarReference(parseReference(reference))}\n` })
      }
      if (references.length === 0) lines.send({ stream: `Loaded image ID: ${imageId}\n` })
    }
  })
}

/** One image or several as an archive. */
export async function imageGet(call: Call): Promise<void> {
  const { query, reply, signal } = call
  const names = call.params.name === undefined ? query.all('names').flatMap((it) => it.split(',')) : [call.params.name]
  if (names.length === 0 || names.every((it) => it === '')) throw badRequest('no image was named')
  const platform = query.given('platform')
  const archive = await call.engine.images.save(names, { signal, ...(platform !== undefined && { platform }) })
  await reply.start(200, { 'Content-Type': 'application/x-tar' })
  for await (const chunk of archive) if (!(await reply.write(chunk as Buffer))) break
  archive.destroy()
}
