import type { ImageSummary } from '../../engine/types.js'
import type { Call } from '../call.js'
import { badRequest } from '../errors.js'
import { filterImages, IMAGE_FILTERS, PRUNE_FILTERS, pruneTest } from '../image-filters.js'

export function imageRow(image: ImageSummary, containers: number, version: number): Record<string, unknown> {
  return {
    Containers: containers,
    Created: Math.floor(image.createdAt / 1000),
    Id: image.id,
    Labels: Object.keys(image.labels).length === 0 ? null : image.labels,
    ParentId: '',
    RepoDigests: image.digests,
    RepoTags: image.tags,
    SharedSize: -1,
    Size: image.size,
    // Until 1.43.
    ...(version < 44 && { VirtualSize: image.size }),
  }
}

export async function imageList(call: Call): Promise<void> {
  const { engine, query } = call
  const filters = query.filters(IMAGE_FILTERS)
  const [images, containers] = await Promise.all([engine.images(), engine.containers({ all: true })])
  const users = new Map<string, number>()
  for (const { imageId } of containers) users.set(imageId, (users.get(imageId) ?? 0) + 1)
  const found = await filterImages(images, filters, engine)
  const counts = call.version >= 51
  await call.reply.json(
    200,
    found.map((it) => imageRow(it, counts ? (users.get(it.id) ?? 0) : -1, call.version)),
  )
}

export async function imageInspect(call: Call): Promise<void> {
  const platform = call.query.given('platform')
  const image = await call.engine.inspectImage(
    call.params.name!,
    platform === undefined ? {} : { platform: platformText(platform) },
  )
  await call.reply.json(200, call.version < 44 ? { ...image, VirtualSize: image.Size } : image)
}

/** A platform of a query: JSON from version 1.48 on, else `os/arch`. */
function platformText(text: string): string {
  if (!text.startsWith('{')) return text
  try {
    const { os, architecture, variant } = JSON.parse(text) as Record<string, string>
    return [os, architecture, variant].filter((it) => it !== undefined && it !== '').join('/')
  } catch {
    throw badRequest('invalid platform')
  }
}

export async function imageHistory(call: Call): Promise<void> {
  const platform = call.query.given('platform')
  const entries = await call.engine.images.history(
    call.params.name!,
    platform === undefined ? {} : { platform: platformText(platform) },
  )
  await call.reply.json(
    200,
    entries.map((it) => ({
      Id: it.id,
      Created: Math.floor(it.createdAt / 1000),
      CreatedBy: it.createdBy,
      Tags: it.tags.length === 0 ? null : it.tags,
      Size: it.size,
      Comment: it.comment,
    })),
  )
}

export async function imageTag(call: Call): Promise<void> {
  const [repo, tag] = [call.query.text('repo'), call.query.text('tag')]
  if (repo === '') throw badRequest('repository name must have at least one component')
  await call.engine.images.tag(call.params.name!, tag === '' ? repo : `${repo}:${tag}`)
  await call.reply.empty(201)
}

const removedLine = (it: { untagged?: string; deleted?: string }): Record<string, string> =>
  it.untagged === undefined ? { Deleted: it.deleted ?? '' } : { Untagged: it.untagged }

export async function imageDelete(call: Call): Promise<void> {
  const { query } = call
  const removed = await call.engine.removeImage(call.params.name!, {
    force: query.bool('force'),
    noPrune: query.bool('noprune'),
  })
  await call.reply.json(200, removed.map(removedLine))
}

export async function imagePrune(call: Call): Promise<void> {
  const filters = call.query.filters(PRUNE_FILTERS)
  const { removed, reclaimed } = await call.engine.images.prune({
    all: filters.flag('dangling') === false,
    filter: pruneTest(filters),
    signal: call.signal,
  })
  await call.reply.json(200, {
    ImagesDeleted: removed.length === 0 ? null : removed.map(removedLine),
    SpaceReclaimed: reclaimed,
  })
}

export async function imageSearch(call: Call): Promise<void> {
  const { query } = call
  const term = query.given('term')
  if (term === undefined) throw badRequest('no search term was given')
  const filters = query.filters(['is-automated', 'is-official', 'stars'])
  const limit = query.int('limit')
  const found = await call.engine.images.search(term, { signal: call.signal, ...(limit ? { limit } : {}) })
  const [official, automated] = [filters.flag('is-official'), filters.flag('is-automated')]
  const stars = Math.max(0, ...filters.get('stars').map(Number))
  await call.reply.json(
    200,
    found
      .filter(
        (it) =>
          (official === undefined || it.official === official) &&
          (automated === undefined || it.automated === automated) &&
          it.stars >= stars,
      )
      .map((it) => ({
        name: it.name,
        description: it.description,
        star_count: it.stars,
        is_official: it.official,
        is_automated: it.automated,
      })),
  )
}

/** What a registry has for a name. */
export async function distributionInspect(call: Call): Promise<void> {
  const { headerCredentials } = await import('../registry-auth.js')
  const { document, manifests } = await call.engine.images.manifests.inspect(call.params.name!, {
    ...headerCredentials(call.header('x-registry-auth')),
    members: true,
  })
  const { digestOf } = await import('../../oci/index.js')
  const parsed = JSON.parse(document.toString('utf8')) as { mediaType?: string }
  await call.reply.json(200, {
    Descriptor: {
      mediaType: parsed.mediaType ?? 'application/vnd.oci.image.index.v1+json',
      digest: digestOf(document),
      size: document.length,
    },
    Platforms: manifests.map(({ descriptor }) => descriptor.platform),
  })
}
