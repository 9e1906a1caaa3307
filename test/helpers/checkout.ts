import { fileURLToPath } from 'node:url'

/** The checkout's directory. Compiled helpers lie in `dist/test/helpers`. */
export const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')
