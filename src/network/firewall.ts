import type { Step } from '../native/index.js'
import type { NetworkConfig } from './config.js'
import type { PublishedPort } from './ruleset.js'

/** The rules of one store: what makes them, and the steps of a container that has a part in them. */
export interface Firewall {
  /** @throws JubakoError where there can be no bridge networks */
  check(): void
  /** Whether this machine can have what this one makes. */
  isAvailable(): boolean
  /** Whether a network's are there. */
  isBuilt(network: NetworkConfig): boolean
  /**
   * Makes all that is not there yet.
   *
   * @param networks the store's bridges, all of them
   * @param ports those of running containers, for rules that are made anew
   * @param guard the host forwards only because of us: nothing else is forwarded then
   */
  build(networks: readonly NetworkConfig[], ports: () => readonly PublishedPort[], guard: boolean): void
  /** Removes a network's; `remaining` are the other bridges of the store. */
  remove(network: NetworkConfig, remaining: readonly NetworkConfig[], guard: boolean): void
  publish(ports: readonly PublishedPort[]): Step[]
  unpublish(ports: readonly PublishedPort[]): Step[]
  /** The same as {@link unpublish}, by who is not a supervisor. */
  unpublishNow(ports: readonly PublishedPort[]): void
  /** What lets a supervisor make rules again that somebody took away, with these of its own. */
  heal(own: readonly Step[]): Step[]
  /** Where the name service of a container listens at 127.0.0.11: 0 is any port. */
  readonly resolverPort: number
  /** In the container: port 53 of 127.0.0.11 leads to the port of its name service. */
  resolver(): Step[]
}
