import type { Dockerfile } from './stages.js'

/** A stage that can be asked for. */
export interface TargetInfo {
  /** Empty: it has none. */
  name: string
  description: string
  /** It is built when none is named. */
  isDefault: boolean
  base: string
  platform: string | undefined
}

/** What a comment right before an instruction says of a name: `# name description`. */
export function describedBy(comments: readonly string[], name: string): string {
  if (name === '') return ''
  const found = comments.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()} `))
  return found === undefined ? '' : found.slice(name.length + 1).trim()
}

/** The stages that have a name, and the last one. */
export function targetsOf({ stages }: Dockerfile): TargetInfo[] {
  return stages
    .map(({ name, from, index }) => ({
      name,
      description: describedBy(from.comments, name),
      isDefault: index === stages.length - 1,
      base: from.base,
      platform: from.platform,
    }))
    .filter(({ name, isDefault }) => name !== '' || isDefault)
}
