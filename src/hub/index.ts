/** A registry of one's own: the OCI distribution specification 1.1 on a directory or on a store of images. */
export type { AccessEntry } from './access-log.js'
export { addUser, listUsers, removeUser } from './htpasswd.js'
export type { LocalImages, LocalManifest, LocalTag } from './local.js'
export type { CollectedGarbage, RegistryOptions, RegistryServer } from './options.js'
export type { Action, Policy, PolicyRule } from './policy.js'
export { serveRegistry } from './server.js'
