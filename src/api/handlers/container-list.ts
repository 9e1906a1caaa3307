import type { Call } from '../call.js'
import { CONTAINER_FILTERS, filterContainers } from '../container-filters.js'
import { containerSummary, containerSummaryText } from '../shapes/container-summary.js'

export async function containerList(call: Call): Promise<void> {
  const { query, engine, resident } = call
  const filters = query.filters(CONTAINER_FILTERS)
  const limit = query.int('limit') ?? 0
  // A state that is asked for is looked for among all.
  const all = query.bool('all') || limit > 0 || ['status', 'exited', 'since', 'before'].some((it) => filters.has(it))
  const listings = (await engine.listContainers()).filter(({ summary }) => resident.sees(summary.labels))
  const visible = listings.map(({ summary }) => summary)
  const byId = new Map(listings.map((it) => [it.summary.id, it]))
  const shown = all ? visible : visible.filter(({ state }) => RUNNING.has(state))
  const found = await filterContainers(shown, visible, filters, engine)
  const chosen = limit > 0 ? found.slice(0, limit) : found
  const now = Date.now()
  if (!query.bool('size') && !resident.hidesLabels) {
    const texts = chosen.map(({ id }) => containerSummaryText(byId.get(id)!, now))
    await call.reply.jsonText(200, `[${texts.join(',')}]\n`)
    return
  }
  const rows = chosen.map((it) => resident.shown(containerSummary(byId.get(it.id)!, now)))
  if (query.bool('size')) {
    await Promise.all(
      rows.map(async (row, at) => {
        const size = await engine.containerSize(chosen[at]!.id)
        Object.assign(row, { SizeRw: size.written, SizeRootFs: size.total })
      }),
    )
  }
  await call.reply.json(200, rows)
}

const RUNNING = new Set(['running', 'paused', 'restarting'])
