import { parseDetachKeys } from '../values/detach-keys.js'
import type { FlagRow } from './spec.js'

/** `--detach-keys`: checked before anything is started. */
export const detachKeysFlag: FlagRow = [
  '',
  'detach-keys',
  'string',
  'Keys that detach and leave the process running, for example ctrl-p,ctrl-q',
  { parse: parseDetachKeys, late: true },
]
