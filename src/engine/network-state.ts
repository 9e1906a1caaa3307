/** What is known of the networks of running containers, and what dead ones left. */
import { readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs'
import { randomHex } from '../native/index.js'
import { addressesOf, type Endpoint, publishedPorts, type RunNetwork } from '../network/index.js'
import { type ContainerConfig, readJson } from '../runtime/index.js'
import { processStartTime, thisStartTime } from './boot.js'
import type { EngineContext } from './context.js'

export const runPath = (context: EngineContext, id: string): string => `${context.store.places.of(id).run}/network.json`
export const portsPath = (context: EngineContext, id: string): string => `${context.store.places.of(id).run}/ports`

/** What a started container has of networks; undefined when it has none. */
export const runNetwork = (context: EngineContext, id: string): RunNetwork | undefined => readJson(runPath(context, id))

/** Ports of the host by reservation. */
export const reservedPorts = (context: EngineContext, id: string): number[] => readJson(portsPath(context, id)) ?? []

/** Tells a holder of addresses from all others, and whether it can still be alive. */
export function newOwner(id: string): string {
  return `${id} ${process.pid} ${thisStartTime()} ${randomHex(4)}`
}

/** Whether neither the container nor who was about to start it lives. */
function isAbandoned(context: EngineContext, owner: string): boolean {
  const [id = '', pid = '', started = ''] = owner.split(' ')
  if (!/^[0-9a-f]{64}$/.test(id)) return true
  return !context.store.isRunning(id) && processStartTime(Number(pid)) !== started
}

/** Gives the addresses of an endpoint back. */
export function giveBack(context: EngineContext, endpoint: Endpoint): void {
  for (const address of addressesOf(endpoint))
    context.networks.store.giveBack(endpoint.network, address, endpoint.owner)
}

/** What a supervisor that was killed left of its container's networks, outside of the namespace that died with it. */
export async function releaseLeftovers(context: EngineContext, id: string): Promise<void> {
  const run = runNetwork(context, id)
  if (run === undefined) return
  const { store, firewall } = context.networks
  const ports = reservedPorts(context, id)
  for (const endpoint of run.endpoints) {
    const [first] = addressesOf(endpoint)
    if (first === undefined || store.addresses(endpoint.network).get(first) !== endpoint.owner) continue
    const known = run.published.filter(({ reservation }) => ports[reservation] !== undefined)
    firewall.unpublishNow(publishedPorts(known, endpoint, ports))
    removeNames(context, endpoint)
    giveBack(context, endpoint)
  }
  for (const path of [runPath(context, id), portsPath(context, id)]) rmSync(path, { force: true })
}

function removeNames(context: EngineContext, endpoint: Endpoint): void {
  const zone = context.networks.store.zone(endpoint.network)
  for (const address of addressesOf(endpoint)) {
    for (const name of endpoint.names) {
      ignoring(() => unlinkSync(`${zone}/names/${name}/${address}`))
      ignoring(() => rmdirSync(`${zone}/names/${name}`))
    }
    ignoring(() => unlinkSync(`${zone}/reverse/${address}`))
  }
}

function ignoring(act: () => void): void {
  try {
    act()
  } catch {
    // it is gone, or others use it
  }
}

/** Addresses whose container and whose taker are both dead. */
export async function sweepNetworks(context: EngineContext): Promise<void> {
  const { store } = context.networks
  for (const zone of store.zones()) {
    const owners = [...store.addresses(zone)]
    if (owners.length === 0) continue
    for (const [address, owner] of owners) {
      if (!isAbandoned(context, owner)) continue
      await releaseLeftovers(context, owner.slice(0, 64))
      store.giveBack(zone, address, owner)
    }
  }
}

/** All containers that run and have networks. */
export function runningNetworks(context: EngineContext): { config: ContainerConfig; run: RunNetwork }[] {
  let ids: string[]
  try {
    ids = readdirSync(context.runRoot).filter((name) => /^[0-9a-f]{64}$/.test(name))
  } catch {
    return []
  }
  return ids.flatMap((id) => {
    const run = runNetwork(context, id)
    const config = run === undefined || !context.store.isRunning(id) ? undefined : context.store.load(id)
    return config === undefined ? [] : [{ config, run: run! }]
  })
}
