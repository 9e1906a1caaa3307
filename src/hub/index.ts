/** A registry of one's own: the OCI distribution specification 1.1 on a directory. */
export { type RegistryOptions, type RegistryServer, serveRegistry } from './server.js'
