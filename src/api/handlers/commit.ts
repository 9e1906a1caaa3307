import type { Call } from '../call.js'
import { badRequest } from '../errors.js'

export async function imageCommit(call: Call): Promise<void> {
  const { query } = call
  const name = query.given('container')
  if (name === undefined) throw badRequest('no container was named')
  const [repo, tag] = [query.given('repo'), query.given('tag')]
  const [author, message] = [query.given('author'), query.given('comment')]
  const container = await call.resident.container(name)
  const { imageId } = await container.commit({
    ...(repo !== undefined && { reference: tag === undefined ? repo : `${repo}:${tag}` }),
    ...(author !== undefined && { author }),
    ...(message !== undefined && { message }),
    // One instruction each, or several in the lines of one.
    changes: query.all('changes').flatMap((it) => it.split('\n').filter((line) => line.trim() !== '')),
    pause: query.bool('pause', true),
    signal: call.signal,
  })
  await call.reply.json(201, { Id: imageId })
}
