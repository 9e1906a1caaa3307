const NAMESPACED = new Set(
  'kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced'.split(
    ' ',
  ),
)

/** One `--sysctl`: `name=value` for the kernel's namespaced settings only. */
export function parseSysctl(text: string): [name: string, value: string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new Error(`sysctl '${text}' must be name=value`)
  const name = text.slice(0, equals)
  if (!NAMESPACED.has(name) && !/^(net|fs\.mqueue)\./.test(name)) {
    throw new Error(`sysctl '${name}' is not allowed: it is not namespaced`)
  }
  return [name, text.slice(equals + 1)]
}
