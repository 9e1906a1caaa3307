import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { FileLock } from '../content/index.js'
import { invalidArgument, isJubakoError, JubakoError } from '../errors/index.js'
import { randomHex } from '../native/index.js'
import {
  bridgeOptions,
  buildBridge,
  checkIpv6,
  chooseSubnet4,
  chooseSubnet6,
  type Firewall,
  formatAddress,
  formatSubnet,
  hasBridge,
  hostSubnets,
  type NetworkConfig,
  type NetworkDriver,
  NetworkStore,
  overlaps,
  parseSubnet,
  publishedPorts,
  readPool,
  removeBridge,
  type Subnet,
  subLinkModes,
  switchForwarding,
} from '../network/index.js'
import type { ContextNetworks, EngineContext } from './context.js'
import { type FirewallBackend, FirewallChoice } from './firewall.js'
import { connectContainer, disconnectContainer } from './network-connect.js'
import { inspectNetwork } from './network-inspect.js'
import { reservedPorts, runningNetworks } from './network-state.js'
import type { NetworkAttachment, NetworkCreateOptions, NetworkHandle, NetworkSummary } from './network-types.js'
import { untilGone } from './stop.js'
import { storeTag } from './store-tag.js'

const predefined = ['bridge', 'host', 'none'] as const
const drivers: readonly string[] = ['bridge', 'macvlan', 'ipvlan']

/** The networks of a store: records, bridges, rules. */
export class Networks implements ContextNetworks {
  readonly store: NetworkStore
  readonly #firewall: FirewallChoice
  readonly #bridge: string
  readonly #context: EngineContext

  /** @param isDefault the store everybody has: it has the short names */
  constructor(context: EngineContext, isDefault: boolean, backend: FirewallBackend | undefined) {
    this.#context = context
    this.store = new NetworkStore(context.root, context.runRoot)
    const tag = storeTag(context.runRoot)
    this.#firewall = new FirewallChoice(this.store, isDefault ? 'jubako' : `jubako_${tag}`, backend)
    this.#bridge = isDefault ? 'jubako0' : `jk${tag}`
  }

  get firewall(): Firewall {
    return this.#firewall.current
  }

  async create(name: string, options: NetworkCreateOptions = {}): Promise<NetworkHandle> {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
      throw invalidArgument(`invalid network name: ${name}`, {
        hint: 'letters, digits, "_", "." and "-", first a letter or digit',
      })
    }
    if ((predefined as readonly string[]).includes(name)) {
      throw new JubakoError('ERR_JUBAKO_CONFLICT', `operation is not permitted on predefined ${name} network`)
    }
    const driver = checkDriver(options)
    const network = await this.#locked(() => {
      const all = this.store.list()
      if (all.some((other) => other.name === name)) {
        throw new JubakoError('ERR_JUBAKO_CONFLICT', `network with name ${name} already exists`)
      }
      const id = randomHex(32)
      const config: NetworkConfig = {
        version: 1,
        id,
        name,
        createdAt: Date.now(),
        driver,
        internal: options.internal ?? false,
        attachable: options.attachable ?? false,
        ipv4: options.ipv4 ?? true,
        ipv6:
          (options.ipv6 ?? false) ||
          (options.pools ?? []).some(({ subnet }) => subnet.includes(':') && options.ipv6 !== false),
        ipamDriver: 'default',
        ipamOptions: { ...options.ipamOptions },
        pools: this.#pools(options, driver, all),
        options: { ...options.options },
        labels: { ...options.labels },
        bridge: driver === 'bridge' ? options.options?.[bridgeOptions.name] || `br-${id.slice(0, 12)}` : '',
      }
      if (Buffer.byteLength(config.bridge) > 15)
        throw invalidArgument(`invalid bridge name ${config.bridge}: at most 15 bytes`)
      if (driver === 'bridge') {
        try {
          this.#build(config, [...all, config])
        } catch (error) {
          this.#tearDown(config, all)
          throw error
        }
      }
      this.store.save(config)
      return config
    })
    this.#event(network, 'create')
    return this.#handle(network)
  }

  async list(): Promise<NetworkSummary[]> {
    await this.#predefined()
    return this.store
      .list()
      .map(summary)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async used(): Promise<Set<string>> {
    const all = this.#context.store.all()
    return new Set(all.flatMap(({ endpoints = [] }) => endpoints.map(({ network }) => network)))
  }

  async get(nameOrId: string): Promise<NetworkHandle> {
    return this.#handle(await this.find(nameOrId))
  }

  /** @throws JubakoError ERR_JUBAKO_NOT_FOUND */
  async find(nameOrId: string): Promise<NetworkConfig> {
    await this.#predefined()
    return this.store.find(nameOrId)
  }

  async remove(nameOrId: string): Promise<void> {
    const network = await this.find(nameOrId)
    if ((predefined as readonly string[]).includes(network.name)) {
      throw new JubakoError('ERR_JUBAKO_CONFLICT', `${network.name} is a pre-defined network and cannot be removed`)
    }
    const { store } = this.#context
    for (const { config } of this.#active(network))
      if (store.isEnding(config.id)) await untilGone(this.#context, config.id)
    await this.#locked(() => {
      const active = this.#active(network).map(
        ({ config, endpoint }) => `name:"${config.name}" id:"${endpoint.id.slice(0, 12)}"`,
      )
      if (active.length > 0) {
        throw new JubakoError(
          'ERR_JUBAKO_CONFLICT',
          `error while removing network: network ${network.name} has active endpoints (${active.join(', ')})`,
          { hint: 'stop or disconnect these containers first' },
        )
      }
      if (network.driver === 'bridge') {
        this.#tearDown(network, this.store.list())
      }
      this.store.remove(network.id)
    })
    this.#event(network, 'destroy')
  }

  #active(network: NetworkConfig) {
    return runningNetworks(this.#context).flatMap(({ config, run }) =>
      run.endpoints.filter((it) => it.network === network.id).map((endpoint) => ({ config, endpoint })),
    )
  }

  async prune(options: { keep?: (network: NetworkSummary) => boolean } = {}): Promise<string[]> {
    const used = await this.used()
    const removed: string[] = []
    for (const network of await this.list()) {
      if ((predefined as readonly string[]).includes(network.name) || used.has(network.id) || options.keep?.(network))
        continue
      try {
        await this.remove(network.id)
        removed.push(network.name)
      } catch (error) {
        // Somebody used or removed it meanwhile.
        if (!isJubakoError(error, 'ERR_JUBAKO_CONFLICT', 'ERR_JUBAKO_NOT_FOUND')) throw error
      }
    }
    return removed
  }

  /** Bridge and rules of a network, as they must be before a container joins. Costs two questions when they are. */
  async ensure(network: NetworkConfig): Promise<void> {
    if (network.driver !== 'bridge') {
      if (this.#firewall.isOpen) await this.#locked(() => this.#firewall.decide())
      return
    }
    if (this.#isBuilt(network)) return
    await this.#locked(() => {
      if (!this.#isBuilt(network)) this.#build(network, this.store.list())
    })
  }

  /** The default network, made at its first use. */
  async defaultNetwork(): Promise<NetworkConfig> {
    await this.#predefined()
    return this.store.find('bridge')
  }

  #isBuilt(network: NetworkConfig): boolean {
    return hasBridge(network) && this.firewall.isBuilt(network)
  }

  /** The host forwards only because of us. */
  get #guard(): boolean {
    return existsSync(this.store.forwardingMark)
  }

  #tearDown(network: NetworkConfig, all: readonly NetworkConfig[]): void {
    const remaining = all.filter(({ driver, id }) => driver === 'bridge' && id !== network.id)
    this.firewall.remove(network, remaining, this.#guard)
    removeBridge(network)
  }

  #build(network: NetworkConfig, all: readonly NetworkConfig[]): void {
    const firewall = this.#firewall.decide()
    firewall.check()
    const ports = () =>
      runningNetworks(this.#context).flatMap(({ config, run }) => {
        const reserved = reservedPorts(this.#context, config.id)
        const known = run.published.filter(({ reservation }) => reserved[reservation] !== undefined)
        return run.endpoints.flatMap((endpoint) => publishedPorts(known, endpoint, reserved))
      })
    const bridges = all.filter(({ driver }) => driver === 'bridge')
    switchForwarding(network, this.store.forwardingMark)
    firewall.build(bridges, ports, this.#guard)
    buildBridge(network)
  }

  #pools(options: NetworkCreateOptions, driver: NetworkDriver, all: readonly NetworkConfig[]): NetworkConfig['pools'] {
    const given = (options.pools ?? []).map((pool) => ({ ...pool }))
    const used: Subnet[] = all.flatMap(({ pools }) => pools.map(({ subnet }) => parseSubnet(subnet)))
    for (const pool of given) {
      const { subnet } = readPool(pool)
      const meets = all.find(({ pools }) => pools.some((other) => overlaps(parseSubnet(other.subnet), subnet)))
      if (meets !== undefined) {
        throw new JubakoError(
          'ERR_JUBAKO_CONFLICT',
          'invalid pool request: Pool overlaps with other one on this address space',
          { hint: `${formatSubnet(subnet)} meets network ${meets.name}` },
        )
      }
      const here = driver === 'bridge' ? hostSubnets().find((other) => overlaps(other, subnet)) : undefined
      if (here !== undefined) {
        throw new JubakoError(
          'ERR_JUBAKO_CONFLICT',
          `conflicts with network on this host: ${formatSubnet(subnet)} overlaps ${formatSubnet(here)}`,
          {
            hint: 'choose another --subnet',
          },
        )
      }
      used.push(subnet)
    }
    const wants6 = options.ipv6 ?? false
    if (wants6 || given.some(({ subnet }) => parseSubnet(subnet).family === 6)) checkIpv6()
    const pools = given
    const hasFamily = (family: 4 | 6) => pools.some(({ subnet }) => parseSubnet(subnet).family === family)
    const busy = hasFamily(4) && (hasFamily(6) || !wants6) ? [] : [...used, ...hostSubnets()]
    if ((options.ipv4 ?? true) && !hasFamily(4)) pools.unshift(poolOf(chooseSubnet4(busy)))
    if (wants6 && !hasFamily(6))
      pools.push(
        poolOf(chooseSubnet6(busy, createHash('sha256').update(this.#context.runRoot).digest().subarray(0, 5))),
      )
    if (pools.length === 0) throw invalidArgument('IPv4 or IPv6 must be enabled')
    return pools
  }

  /** The three networks that are always there. */
  async #predefined(): Promise<void> {
    const missing = () => predefined.filter((name) => !this.store.list().some((network) => network.name === name))
    if (missing().length === 0) return
    this.store.prepare()
    await this.#locked(() => {
      for (const name of missing()) {
        const all = this.store.list()
        const id = randomHex(32)
        const bridge = name === 'bridge'
        this.store.save({
          version: 1,
          id,
          name,
          createdAt: Date.now(),
          driver: bridge ? 'bridge' : name === 'none' ? 'null' : 'host',
          internal: false,
          attachable: false,
          ipv4: true,
          ipv6: false,
          ipamDriver: 'default',
          ipamOptions: {},
          pools: bridge ? this.#pools({}, 'bridge', all) : [],
          options: bridge
            ? {
                [bridgeOptions.defaultBridge]: 'true',
                [bridgeOptions.icc]: 'true',
                [bridgeOptions.masquerade]: 'true',
                [bridgeOptions.hostBinding]: '0.0.0.0',
                [bridgeOptions.name]: this.#bridge,
                [bridgeOptions.mtu]: '1500',
              }
            : {},
          labels: {},
          bridge: bridge ? this.#bridge : '',
        })
      }
    })
  }

  async #locked<T>(act: () => T): Promise<T> {
    this.store.prepare()
    const lock = await FileLock.acquire(this.store.lockPath)
    try {
      return act()
    } finally {
      lock.release()
    }
  }

  #event(network: NetworkConfig, action: string): void {
    const { id, name, driver } = network
    this.#context.events.emit({ type: 'network', action, actor: { id, attributes: { name, type: driver } } })
  }

  #handle(network: NetworkConfig): NetworkHandle {
    const context = this.#context
    const remove = () => this.remove(network.id)
    return {
      id: network.id,
      name: network.name,
      inspect: async () => inspectNetwork(context, network),
      connect: (container: string, options: Omit<NetworkAttachment, 'name'> = {}) =>
        connectContainer(context, network, container, options),
      disconnect: (container: string, options: { force?: boolean } = {}) =>
        disconnectContainer(context, network, container, options.force ?? false),
      remove,
      async [Symbol.asyncDispose]() {
        await remove().catch((error: unknown) => {
          if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw error
        })
      },
    }
  }
}

function poolOf(subnet: Subnet): NetworkConfig['pools'][number] {
  return { subnet: formatSubnet(subnet), gateway: formatAddress({ family: subnet.family, value: subnet.base + 1n }) }
}

export function summary(network: NetworkConfig): NetworkSummary {
  const { id, name, driver, internal, ipv4, ipv6, labels, createdAt } = network
  return { id, name, driver, scope: 'local', internal, ipv4, ipv6, labels, createdAt }
}

function checkDriver(options: NetworkCreateOptions): NetworkDriver {
  const { driver = 'bridge', options: given = {} } = options
  if (driver === 'host' || driver === 'null') {
    throw new JubakoError('ERR_JUBAKO_CONFLICT', `only one instance of "${driver}" network is allowed`)
  }
  if (!drivers.includes(driver)) {
    throw new JubakoError(
      'ERR_JUBAKO_NOT_FOUND',
      `could not find plugin ${driver} in v1 plugin registry: plugin not found`,
      {
        hint: 'drivers are bridge, macvlan and ipvlan',
      },
    )
  }
  if ((options.ipamDriver ?? 'default') !== 'default') {
    throw new JubakoError(
      'ERR_JUBAKO_NOT_FOUND',
      `could not find plugin ${options.ipamDriver} in v1 plugin registry: plugin not found`,
      {
        hint: 'the only ipam driver is default',
      },
    )
  }
  const mtu = given[bridgeOptions.mtu]
  if (mtu !== undefined && !(Number(mtu) >= 68 && Number(mtu) <= 65535)) throw invalidArgument(`invalid MTU: ${mtu}`)
  for (const key of [bridgeOptions.gatewayMode4, bridgeOptions.gatewayMode6]) {
    const mode = given[key]
    if (mode !== undefined && mode !== '' && mode !== 'nat') {
      throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `gateway mode ${mode} is not available`, {
        hint: 'the only one is nat',
      })
    }
  }
  if (driver === 'macvlan' || driver === 'ipvlan') {
    if (given.parent === undefined || given.parent === '') {
      throw invalidArgument(`a ${driver} network needs a parent`, { hint: '-o parent=<link of the host>' })
    }
    const modes = subLinkModes[driver]
    const mode = given[`${driver}_mode`]
    if (mode !== undefined && !(mode in modes)) throw invalidArgument(`unknown ${driver} mode: ${mode}`)
    if (given.ipvlan_flag !== undefined && !(given.ipvlan_flag in subLinkModes.ipvlanFlags))
      throw invalidArgument(`unknown ipvlan flag: ${given.ipvlan_flag}`)
  }
  return driver as NetworkDriver
}
