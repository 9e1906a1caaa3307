import { cleanPath } from '../../dockerfile/index.js'

/** A target of COPY or WORKDIR, absolute; a slash at the end stays. */
export function absoluteTarget(path: string, workdir: string | undefined): string {
  const absolute = path.startsWith('/') ? path : `${workdir ?? '/'}/${path}`
  const cleaned = cleanPath(absolute)
  const isDirectory = /(^|\/)\.{0,2}$/.test(path) && cleaned !== '/'
  return isDirectory ? `${cleaned}/` : cleaned
}

/** A source relative to its root. `..` stays visible, so that it can be refused. */
export function relativeSource(path: string): { path: string; leaves: boolean } {
  const slashless = path.replace(/^\/+/, '')
  const cleaned = cleanPath(slashless === '' ? '.' : slashless)
  return { path: cleaned === '.' ? '' : cleaned, leaves: cleaned === '..' || cleaned.startsWith('../') }
}
