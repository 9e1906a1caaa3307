import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { JubakoError } from '../errors/index.js'
import { formatAddress, parseAddress } from './address.js'
import type { NetworkConfig } from './config.js'
import { addressInUse, checkRequested, freeAddresses, type Pool, poolExhausted } from './ipam.js'

/** Coarser than any file system's clock. */
const UNSURE_MS = 50

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/**
 * Networks on disk: `<root>/networks/<id>.json`, and, while the machine runs, `<run root>/networks/<id>/` with
 * `addresses/<address>` (a symbolic link whose content says whose it is), `names/` and `reverse/` (what the name service
 * reads).
 */
export class NetworkStore {
  readonly #records: string
  readonly #run: string
  /** A record never changes. */
  readonly #known = new Map<string, NetworkConfig>()

  constructor(root: string, runRoot: string) {
    this.#records = `${root}/networks`
    this.#run = `${runRoot}/networks`
  }

  /** Of all processes that make or remove networks, one at a time. */
  get lockPath(): string {
    return `${this.#records}/lock`
  }

  /** There when this engine switched the host's forwarding on. */
  get forwardingMark(): string {
    return `${this.#run}/forwarding`
  }

  /** The transaction that makes the table again. */
  get rulesPath(): string {
    return `${this.#run}/rules`
  }

  /** What stands in for nf_tables, where it is missing. */
  get firewallPath(): string {
    return `${this.#run}/firewall`
  }

  prepare(): void {
    mkdirSync(this.#records, { recursive: true, mode: 0o700 })
    mkdirSync(this.#run, { recursive: true, mode: 0o700 })
  }

  /**
   * When a network was last made or removed, in milliseconds; NaN when it is so short a time ago that another change may
   * go unnoticed.
   */
  changedAt(): number {
    const at = statSync(this.#records, { throwIfNoEntry: false })?.mtimeMs ?? 0
    return at < Date.now() - UNSURE_MS ? at : Number.NaN
  }

  list(): NetworkConfig[] {
    let names: string[]
    try {
      names = readdirSync(this.#records)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
    const ids = names.filter((name) => /^[0-9a-f]{64}\.json$/.test(name)).map((name) => name.slice(0, 64))
    for (const id of this.#known.keys()) if (!ids.includes(id)) this.#known.delete(id)
    return ids.flatMap((id) => this.#known.get(id) ?? this.load(id) ?? [])
  }

  load(id: string): NetworkConfig | undefined {
    const path = `${this.#records}/${id}.json`
    const known = this.#known.get(id)
    if (known !== undefined && existsSync(path)) return known
    this.#known.delete(id)
    try {
      const network = JSON.parse(readFileSync(path, 'utf8')) as NetworkConfig
      this.#known.set(id, network)
      return network
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  save(network: NetworkConfig): void {
    const path = `${this.#records}/${network.id}.json`
    writeFileSync(`${path}.tmp`, `${JSON.stringify(network)}\n`, { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
  }

  remove(id: string): void {
    rmSync(`${this.#records}/${id}.json`, { force: true })
    rmSync(this.zone(id), { recursive: true, force: true })
  }

  /**
   * By name, ID or unique beginning of an ID, in this order.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND
   */
  find(nameOrId: string): NetworkConfig {
    const all = this.list()
    const exact = all.find(({ name }) => name === nameOrId) ?? all.find(({ id }) => id === nameOrId)
    if (exact !== undefined) return exact
    const matches = /^[0-9a-f]+$/.test(nameOrId) ? all.filter(({ id }) => id.startsWith(nameOrId)) : []
    if (matches.length > 1) {
      throw new JubakoError(
        'ERR_JUBAKO_INVALID_ARGUMENT',
        `network ${nameOrId} is ambiguous (${matches.length} matches found based on ID prefix)`,
      )
    }
    if (matches[0] !== undefined) return matches[0]
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `network ${nameOrId} not found`, { path: nameOrId })
  }

  /** Directory of what is given out in a network. */
  zone(id: string): string {
    return `${this.#run}/${id}`
  }

  addressPath(id: string, address: string): string {
    return `${this.zone(id)}/addresses/${address}`
  }

  prepareZone(id: string): void {
    for (const name of ['addresses', 'names', 'reverse'])
      mkdirSync(`${this.zone(id)}/${name}`, { recursive: true, mode: 0o700 })
  }

  /** Address -> owner. */
  addresses(id: string): Map<string, string> {
    const found = new Map<string, string>()
    let names: string[]
    try {
      names = readdirSync(`${this.zone(id)}/addresses`)
    } catch {
      return found
    }
    for (const name of names) {
      try {
        found.set(name, readlinkSync(this.addressPath(id, name)))
      } catch {
        // given back meanwhile
      }
    }
    return found
  }

  zones(): string[] {
    try {
      return readdirSync(this.#run).filter((name) => /^[0-9a-f]{64}$/.test(name))
    } catch {
      return []
    }
  }

  /**
   * Takes an address: the one asked for, or the first that is free. Two processes never get the same: making a symbolic
   * link is what decides.
   *
   * @throws JubakoError ERR_JUBAKO_CONFLICT when it is taken, or none is left
   */
  takeAddress(
    network: NetworkConfig,
    pools: readonly Pool[],
    owner: string,
    wanted: string | undefined,
  ): { address: string; pool: Pool } {
    if (wanted !== undefined) {
      const pool = checkRequested(pools, wanted, network.name)
      const address = formatAddress(parseAddress(wanted)!)
      if (!this.#take(network.id, address, owner)) throw addressInUse()
      return { address, pool }
    }
    for (const pool of pools) {
      let taken = new Set<string>()
      try {
        taken = new Set(readdirSync(`${this.zone(network.id)}/addresses`))
      } catch {
        // the first one
      }
      for (const free of freeAddresses(pool, taken)) {
        const address = formatAddress(free)
        if (this.#take(network.id, address, owner)) return { address, pool }
      }
    }
    throw poolExhausted(pools[0]!)
  }

  /** Gives an address back, if it is still the owner's. */
  giveBack(id: string, address: string, owner: string): void {
    try {
      if (readlinkSync(this.addressPath(id, address)) === owner) unlinkSync(this.addressPath(id, address))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  #take(id: string, address: string, owner: string): boolean {
    for (let attempt = 0; ; attempt++) {
      try {
        symlinkSync(owner, this.addressPath(id, address))
        return true
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return false
        if (codeOf(error) !== 'ENOENT' || attempt > 0) throw error
        this.prepareZone(id)
      }
    }
  }
}
