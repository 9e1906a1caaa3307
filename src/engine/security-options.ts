import { invalidArgument } from '../errors/index.js'
import type { ContainerConfig } from '../runtime/index.js'

type Security = Pick<
  ContainerConfig,
  'noNewPrivileges' | 'seccomp' | 'seccompUnconfined' | 'systemPathsUnconfined' | 'securityOpt'
>

function flag(name: string, value: string): boolean {
  if (value === '' || value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw invalidArgument(`invalid --security-opt: "${name}=${value}": not true or false`)
}

/**
 * `--security-opt` values. AppArmor and SELinux values are accepted where they ask for nothing: this host has neither.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for an unknown one
 */
export function parseSecurityOptions(options: readonly string[]): Security {
  const out: Security = {
    noNewPrivileges: false,
    seccomp: null,
    seccompUnconfined: false,
    systemPathsUnconfined: false,
    securityOpt: [...options],
  }
  for (const option of options) {
    const at = /[=:]/.exec(option)?.index ?? option.length
    const name = option.slice(0, at)
    const value = option.slice(at + 1)
    switch (name) {
      case 'no-new-privileges':
        out.noNewPrivileges = flag(name, value)
        break
      case 'seccomp':
        out.seccompUnconfined = value === 'unconfined'
        out.seccomp = value === 'unconfined' || value === 'builtin' || value === '' ? null : value
        break
      case 'systempaths':
        if (value !== 'unconfined') throw invalidArgument(`invalid --security-opt: "${option}"`)
        out.systemPathsUnconfined = true
        break
      case 'label':
        break
      case 'apparmor':
        if (value === 'unconfined') break
        throw invalidArgument(`AppArmor profile "${value}" cannot be applied: jubako does not load AppArmor profiles`, {
          hint: 'leave it out, or use apparmor=unconfined',
        })
      default:
        throw invalidArgument(`invalid --security-opt 2: "${option}"`, {
          hint: 'known are no-new-privileges, seccomp, systempaths, label and apparmor=unconfined',
        })
    }
  }
  return out
}
