/** A git repository as ADD and a build context name it. */
export interface GitReference {
  /** What git fetches from. */
  remote: string
  /** Branch, tag or commit; undefined: the remote's HEAD. */
  ref: string | undefined
  /** Directory in the repository, without `..`; undefined: all of it. */
  subdirectory: string | undefined
  keepGitDir: boolean | undefined
  /** Submodules are fetched too. */
  submodules: boolean
  /** Commit that the ref must be. */
  checksum: string | undefined
}

const REFS: Readonly<Record<string, string>> = { ref: '', tag: 'refs/tags/', branch: 'refs/heads/' }

/**
 * Reads `https://host/repo.git#ref:dir`, `git@host:repo`, `git://`, `ssh://` and `https://host/repo.git?branch=x&subdir=y`.
 *
 * @returns undefined when the text is no git reference
 * @throws Error when it is one that must not be used
 */
export function parseGitReference(text: string): GitReference | undefined {
  const [, before = '', fragment] = /^([^#]*)(?:#(.*))?$/s.exec(text) ?? []
  const [, address = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(before) ?? []
  const isHttp = /^https?:\/\//i.test(address)
  const isGit = isHttp
    ? /\.git$/.test(address)
    : /^(?:git|ssh):\/\//i.test(address) || /^[\w.-]+@[\w.-]+:(?!\/\/)/.test(address)
  if (!isGit) {
    if (!/^github\.com\/[\w.-]+\/[\w.-]+/.test(address)) return undefined
    return checked(`https://${address}`, fragment, query, text)
  }
  return checked(address, fragment, query, text)
}

function checked(remote: string, fragment: string | undefined, query: string | undefined, text: string): GitReference {
  const at = fragment?.indexOf(':') ?? -1
  const reference: GitReference = {
    remote,
    ref: (at < 0 ? fragment : fragment!.slice(0, at)) || undefined,
    subdirectory: at < 0 ? undefined : fragment!.slice(at + 1) || undefined,
    keepGitDir: undefined,
    submodules: true,
    checksum: undefined,
  }
  for (const [key, value] of new URLSearchParams(query ?? '')) apply(reference, key, value, text)
  const { ref, subdirectory, checksum } = reference
  // What begins with a dash could be an option of git's; see git-check-ref-format(1) for the rest.
  if (ref !== undefined && (!/^[\w][\w./+@-]*$/.test(ref) || ref.includes('..'))) {
    throw new Error(`invalid git ref ${JSON.stringify(ref)}`)
  }
  if (/^-|[\s\0]/.test(remote) || /:\/\/-/.test(remote) || /@-/.test(remote)) {
    throw new Error(`invalid git address ${JSON.stringify(remote)}`)
  }
  if (subdirectory?.split('/').includes('..')) throw new Error(`invalid subdirectory ${JSON.stringify(subdirectory)}`)
  if (checksum !== undefined && !/^[0-9a-f]{7,64}$/.test(checksum)) throw new Error(`invalid git checksum ${checksum}`)
  return reference
}

const isFalse = (value: string) => /^(0|f|false)$/i.test(value)

/** One `key=value` of the query. */
function apply(reference: GitReference, key: string, value: string, text: string): void {
  const prefix = REFS[key]
  if (prefix !== undefined) {
    if (reference.ref !== undefined) throw new Error(`git reference ${text} names more than one ref`)
    reference.ref = prefix + value
  } else if (key === 'subdir') reference.subdirectory = value
  else if (key === 'checksum' || key === 'commit') reference.checksum = value
  else if (key === 'keep-git-dir') reference.keepGitDir = !isFalse(value)
  else if (key === 'submodules') reference.submodules = !isFalse(value)
  else if (key === 'mtime') {
    if (value !== 'checkout')
      throw new Error(`mtime=${value} of git reference ${text} is not supported: it is checkout`)
  } else throw new Error(`unexpected query '${key}' in git reference ${text}`)
}
