import { infoDocument, versionDocument } from '../../engine/system-documents.js'
import type { Call } from '../call.js'

const pingHeaders = {
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  Pragma: 'no-cache',
  'Content-Type': 'text/plain; charset=utf-8',
  // 1: clients that can choose build with the classic builder.
  'Builder-Version': '1',
  Swarm: 'inactive',
}

export async function ping(call: Call): Promise<void> {
  await call.reply.bytes(200, 'OK', pingHeaders)
}

export async function pingHead(call: Call): Promise<void> {
  await call.reply.empty(200, pingHeaders)
}

export async function version(call: Call): Promise<void> {
  await call.reply.json(200, versionDocument())
}

export async function info(call: Call): Promise<void> {
  await call.reply.json(200, infoDocument(await call.engine.info()))
}
