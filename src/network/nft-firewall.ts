import { renameSync, writeFileSync } from 'node:fs'
import { isJubakoError } from '../errors/index.js'
import { encodeSteps, Netlink, netlink, type Step } from '../native/index.js'
import type { NetworkConfig } from './config.js'
import type { Firewall } from './firewall.js'
import { explain, rulesOf } from './host.js'
import { parseAnswers } from './message.js'
import { Transaction } from './nft.js'
import {
  addPorts,
  askTable,
  buildTable,
  forwardRules,
  type PublishedPort,
  removeNetwork,
  removePorts,
  resolverTable,
} from './ruleset.js'

const E = { noent: 2, exist: 17, inval: 22, opnotsupp: 95 } as const
const MSG_NEWCHAIN = 3
/** NFTA_CHAIN_USE. */
const CHAIN_USE = 6

/** Rules in nf_tables: one table, made once. */
export class NftFirewall implements Firewall {
  readonly resolverPort = 0

  /**
   * @param table name of the table
   * @param rulesPath where the transaction is kept that makes the table with its networks, for who finds it gone
   */
  constructor(
    readonly table: string,
    readonly rulesPath: string,
  ) {}

  check(): void {}

  isAvailable(): boolean {
    try {
      // There is no such element: a kernel without nf_tables says something else.
      netlink(Netlink.netfilter, 'nf_tables', askTable(this.table, '').done())
      return true
    } catch (error) {
      if (!isJubakoError(error)) throw error
      return error.errno === E.noent
    }
  }

  isBuilt(network: NetworkConfig): boolean {
    const question = askTable(this.table, network.bridge).done()
    const tolerated = [E.noent, E.opnotsupp, E.inval]
    const answers = parseAnswers(netlink(Netlink.netfilter, 'nf_tables', question, tolerated), 4)
    if (answers.length < 2) return false
    const uses = answers.find(({ type }) => (type & 0xff) === MSG_NEWCHAIN)?.attributes.get(CHAIN_USE)
    return uses !== undefined && uses.readUInt32BE(0) === forwardRules
  }

  build(networks: readonly NetworkConfig[], ports: () => readonly PublishedPort[], guard: boolean): void {
    const transaction = buildTable(this.table, networks.map(rulesOf), ports(), guard)
    try {
      netlink(Netlink.netfilter, `table ${this.table}`, transaction.end().done())
    } catch (error) {
      throw explain(error, 'cannot make the rules for bridge networks')
    }
    this.#keep(networks, guard)
  }

  remove(network: NetworkConfig, remaining: readonly NetworkConfig[], guard: boolean): void {
    this.#keep(remaining, guard)
    for (const transaction of removeNetwork(this.table, rulesOf(network))) {
      netlink(Netlink.netfilter, `table ${this.table}`, transaction.end().done(), [E.noent])
    }
  }

  publish(ports: readonly PublishedPort[]): Step[] {
    if (ports.length === 0) return []
    return [addPorts(new Transaction(this.table), ports).end().step('published ports')]
  }

  unpublish(ports: readonly PublishedPort[]): Step[] {
    return removePorts(this.table, ports).map((transaction) =>
      transaction.end().step('published ports', 'outside', [E.noent]),
    )
  }

  unpublishNow(ports: readonly PublishedPort[]): void {
    for (const transaction of removePorts(this.table, ports)) {
      netlink(Netlink.netfilter, `table ${this.table}`, transaction.end().done(), [E.noent, E.opnotsupp])
    }
  }

  heal(own: readonly Step[]): Step[] {
    return [['network-heal', this.table, this.rulesPath, encodeSteps(own)]]
  }

  resolver(): Step[] {
    return [resolverTable().end().step('name service', 'inside', [E.exist])]
  }

  /** As a transaction that fails where the table is. */
  #keep(networks: readonly NetworkConfig[], guard: boolean): void {
    const transaction = buildTable(this.table, networks.map(rulesOf), [], guard, true)
    writeFileSync(`${this.rulesPath}.tmp`, transaction.end().done(), { mode: 0o600 })
    renameSync(`${this.rulesPath}.tmp`, this.rulesPath)
  }
}
