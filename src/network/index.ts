/** Networks: models, addresses, links and rules as values, and the steps that connect containers. */
export {
  formatAddress,
  formatSubnet,
  macOf,
  overlaps,
  parseAddress,
  parseMac,
  parseSubnet,
  type Subnet,
} from './address.js'
export {
  bridgeOptions,
  type Endpoint,
  type EndpointConfig,
  type IpamPool,
  type NetworkConfig,
  type NetworkDriver,
  optionFlag,
  type PortBinding,
  type Published,
  type RunNetwork,
} from './config.js'
export {
  addressesOf,
  linkSteps,
  nameSteps,
  publishedPorts,
  releaseSteps,
  reserveSteps,
  resolveInStep,
  resolverSteps,
  routeSteps,
  subLinkModes,
  unlinkSteps,
} from './endpoint.js'
export type { Firewall } from './firewall.js'
export { buildBridge, checkIpv6, hasBridge, hasIpv6, removeBridge, switchForwarding } from './host.js'
export { chooseSubnet4, chooseSubnet6, poolsOf, readPool } from './ipam.js'
export { IptablesFirewall, type IptablesTools } from './iptables-firewall.js'
export { addressOnLink, hostSubnets } from './links.js'
export { NftFirewall } from './nft-firewall.js'
export { NoFirewall } from './no-firewall.js'
export type { PublishedPort } from './ruleset.js'
export { NetworkStore } from './store.js'
