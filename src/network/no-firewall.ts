import { JubakoError } from '../errors/index.js'
import type { Step } from '../native/index.js'
import type { Firewall } from './firewall.js'

const missing = (): JubakoError =>
  new JubakoError(
    'ERR_JUBAKO_UNSUPPORTED',
    'this machine has neither nf_tables nor iptables, which bridge networks need',
    {
      hint: 'use --network none, host or container:<name>, or a network of the drivers macvlan and ipvlan',
    },
  )

/** A machine that cannot have rules: networks without a bridge work, their name service at port 53 itself. */
export class NoFirewall implements Firewall {
  readonly resolverPort = 53

  isAvailable(): boolean {
    return true
  }

  isBuilt(): boolean {
    return false
  }

  check(): never {
    throw missing()
  }

  build(): void {}

  remove(): void {}

  publish(): Step[] {
    return []
  }

  unpublish(): Step[] {
    return []
  }

  unpublishNow(): void {}

  heal(): Step[] {
    return []
  }

  resolver(): Step[] {
    return []
  }
}
