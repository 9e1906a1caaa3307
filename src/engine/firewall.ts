import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs'
import {
  type Firewall,
  IptablesFirewall,
  type IptablesTools,
  type NetworkStore,
  NftFirewall,
  NoFirewall,
} from '../network/index.js'

export type FirewallBackend = 'nftables' | 'iptables' | 'none'

/** What a store fell back to, for all processes that share it, until the machine boots. */
type Fallback = { backend: 'iptables'; tools: IptablesTools } | { backend: 'none' }

const directories = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin']

function find(...names: string[]): string | undefined {
  const paths = names.flatMap((name) => directories.map((directory) => `${directory}/${name}`))
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The variants that speak with the kernel's old interface first: the others need nf_tables themselves. */
function findTools(): IptablesTools | undefined {
  const tool = (name: string, act: string) => find(`${name}-legacy-${act}`, `${name}-${act}`)
  const [restore, save] = [tool('iptables', 'restore'), tool('iptables', 'save')]
  if (restore === undefined || save === undefined) return undefined
  return { restore, save, restore6: tool('ip6tables', 'restore'), save6: tool('ip6tables', 'save') }
}

/** Finds out which rules this machine can have: nf_tables, else iptables, else none. */
export class FirewallChoice {
  #firewall: Firewall | undefined
  #checked = false

  constructor(
    private readonly store: NetworkStore,
    /** Name of the table, and beginning of the names of chains. */
    private readonly name: string,
    private readonly wanted: FirewallBackend | undefined,
  ) {}

  /** As it was decided last; nf_tables when nobody had to decide. */
  get current(): Firewall {
    this.#firewall ??= this.#kept() ?? new NftFirewall(this.name, this.store.rulesPath)
    return this.#firewall
  }

  /** Before something is built. The store's lock is held. */
  decide(): Firewall {
    const nftables = new NftFirewall(this.name, this.store.rulesPath)
    this.#firewall = this.#kept() ?? (this.#wants('nftables') && nftables.isAvailable() ? nftables : this.#fallBack())
    this.#checked = true
    return this.#firewall
  }

  /** Whether {@link decide} has to be asked: the machine may not have what is there by default. */
  get isOpen(): boolean {
    if (this.#checked) return false
    this.#checked = this.#wants('nftables') && this.current.isAvailable()
    return !this.#checked
  }

  #wants(backend: FirewallBackend): boolean {
    return this.wanted === undefined || this.wanted === backend
  }

  #fallBack(): Firewall {
    const tools = this.#wants('iptables') ? findTools() : undefined
    const iptables = tools === undefined ? undefined : new IptablesFirewall(this.name, tools)
    const usable = iptables?.isAvailable() === true
    const fallback: Fallback = usable ? { backend: 'iptables', tools: tools! } : { backend: 'none' }
    writeFileSync(this.store.firewallPath, JSON.stringify(fallback), { mode: 0o600 })
    return usable ? iptables! : new NoFirewall()
  }

  #kept(): Firewall | undefined {
    let fallback: Fallback
    try {
      fallback = JSON.parse(readFileSync(this.store.firewallPath, 'utf8')) as Fallback
    } catch {
      return undefined
    }
    return fallback.backend === 'iptables' ? new IptablesFirewall(this.name, fallback.tools) : new NoFirewall()
  }
}
