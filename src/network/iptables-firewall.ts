import { execFileSync } from 'node:child_process'
import { JubakoError } from '../errors/index.js'
import type { Step } from '../native/index.js'
import type { Family } from './address.js'
import type { NetworkConfig } from './config.js'
import type { Firewall } from './firewall.js'
import { buildText, isWhole, portsText, type Restore, resolverText } from './iptables.js'
import type { PublishedPort } from './ruleset.js'

/** Where the host has its tools; those of IPv6 may be missing. */
export interface IptablesTools {
  restore: string
  save: string
  restore6?: string | undefined
  save6?: string | undefined
}

/** Rules for a kernel without nf_tables, by the host's own `iptables-restore`. */
export class IptablesFirewall implements Firewall {
  readonly resolverPort = 0

  /** @param prefix of the names of our chains: at most 20 characters */
  constructor(
    readonly prefix: string,
    readonly tools: IptablesTools,
  ) {}

  check(): void {}

  isAvailable(): boolean {
    try {
      this.#saved(4)
      return true
    } catch {
      return false
    }
  }

  isBuilt(network: NetworkConfig): boolean {
    return familiesOf([network]).every((family) => {
      try {
        return isWhole(this.prefix, family, network.bridge, this.#saved(family))
      } catch {
        return false
      }
    })
  }

  build(networks: readonly NetworkConfig[], ports: () => readonly PublishedPort[], guard: boolean): void {
    for (const family of familiesOf(networks)) {
      const text = buildText(this.prefix, family, networks, ports(), guard, this.#saved(family))
      this.#restore(family, text)
    }
  }

  remove(_network: NetworkConfig, remaining: readonly NetworkConfig[], guard: boolean): void {
    for (const family of [4, 6] as const) {
      if (family === 6 && this.tools.restore6 === undefined) continue
      this.#restore(family, buildText(this.prefix, family, remaining, [], guard, this.#saved(family)))
    }
  }

  publish(ports: readonly PublishedPort[]): Step[] {
    return ([4, 6] as const).flatMap((family) => {
      const own = ports.filter((port) => port.family === family)
      if (own.length === 0) return []
      return [this.#step(family, portsText(this.prefix, family, '-A', own), 'published ports', false, false)]
    })
  }

  /** Each on its own: one that is gone already does not keep the others. */
  unpublish(ports: readonly PublishedPort[]): Step[] {
    return ports.map((port) =>
      this.#step(port.family, portsText(this.prefix, port.family, '-D', [port]), 'published ports', false, true),
    )
  }

  unpublishNow(ports: readonly PublishedPort[]): void {
    for (const port of ports) {
      try {
        this.#restore(port.family, String(portsText(this.prefix, port.family, '-D', [port]).text))
      } catch {
        // it is gone
      }
    }
  }

  /** The kernel tells nobody of rules that go: the next container that starts makes them again. */
  heal(): Step[] {
    return [['network-heal', '', '', new Uint8Array(0)]]
  }

  resolver(): Step[] {
    return [this.#step(4, resolverText(), 'name service', true, false)]
  }

  #step(family: Family, { text, patches }: Restore, what: string, inside: boolean, mayFail: boolean): Step {
    return ['network-tables', inside, this.#tool(family).restore, what, text, patches, mayFail]
  }

  #tool(family: Family): { restore: string; save: string } {
    const { restore, save, restore6, save6 } = this.tools
    if (family === 4) return { restore, save }
    if (restore6 !== undefined && save6 !== undefined) return { restore: restore6, save: save6 }
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', 'this host has no ip6tables, which a network with IPv6 needs', {
      hint: 'install it, or leave --ipv6 away',
    })
  }

  #saved(family: Family): string {
    return run(this.#tool(family).save, [], '')
  }

  #restore(family: Family, text: string): void {
    run(this.#tool(family).restore, ['--noflush', '--wait'], text)
  }
}

function familiesOf(networks: readonly NetworkConfig[]): Family[] {
  const has6 = networks.some(({ pools }) => pools.some(({ subnet }) => subnet.includes(':')))
  return has6 ? [4, 6] : [4]
}

function run(program: string, words: string[], input: string): string {
  try {
    return execFileSync(program, words, { input, encoding: 'utf8', stdio: 'pipe', maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? '')
      .trim()
      .split('\n')[0]
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `cannot make the rules for bridge networks: ${said || program}`, {
      cause: error,
      hint: 'is iptables of this machine good for its kernel? Use --network none or --network host',
    })
  }
}
