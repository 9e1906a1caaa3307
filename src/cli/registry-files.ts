import { join, resolve } from 'node:path'
import type { CommandContext } from './command.js'

/** Where accounts are kept unless somebody says otherwise. @param root directory of a registry of its own */
export function defaultHtpasswd(context: CommandContext, root?: string): string {
  if (root !== undefined) return join(resolve(root), 'htpasswd')
  return join(resolve(context.places.root ?? '/var/lib/jubako'), 'registry/htpasswd')
}

export const HTPASSWD_HELP = "File of accounts (bcrypt). Default: registry/htpasswd in jubako's root"
