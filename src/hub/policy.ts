import { invalidArgument } from '../errors/index.js'

export type Action = 'pull' | 'push' | 'delete'

/** Gives accounts rights on repositories. Rules add up. */
export interface PolicyRule {
  /** Names of accounts; `*` is every account, `anonymous` who has not logged in. */
  accounts: readonly string[]
  /** `team/app`, `team/*` (one component), `team/**` (everything below), `**`. */
  repositories: readonly string[]
  actions: readonly Action[]
}

export interface Policy {
  /** What everybody may do with every repository, logged in or not. Default: nothing. */
  anonymous?: readonly Action[]
  rules?: readonly PolicyRule[]
}

const ACTIONS: readonly string[] = ['pull', 'push', 'delete'] satisfies Action[]

/** Decides who may do what. */
export class Rules {
  readonly #policy: Policy
  readonly #patterns: readonly (readonly RegExp[])[]

  private constructor(policy: Policy) {
    this.#policy = policy
    this.#patterns = (policy.rules ?? []).map(({ repositories }) => repositories.map(pattern))
  }

  /** Accounts may do everything, others nothing. */
  static readonly accountsOnly = new Rules({
    rules: [{ accounts: ['*'], repositories: ['**'], actions: ['pull', 'push', 'delete'] }],
  })

  static readonly everybody = new Rules({ anonymous: ['pull', 'push', 'delete'] })

  /** @throws JubakoError `ERR_JUBAKO_INVALID_ARGUMENT` that names what is wrong */
  static of(value: unknown, where: string): Rules {
    const wrong = (what: string) => invalidArgument(`${where}: ${what}`, { path: where })
    if (!isObject(value)) throw wrong('not a JSON object')
    for (const key of Object.keys(value)) if (key !== 'anonymous' && key !== 'rules') throw wrong(`unknown key ${key}`)
    const { anonymous = [], rules = [] } = value
    if (!areActions(anonymous)) throw wrong('anonymous is not a list of pull, push and delete')
    if (!Array.isArray(rules)) throw wrong('rules is not a list')
    rules.forEach((rule: unknown, at) => {
      if (!isObject(rule)) throw wrong(`rule ${at + 1} is not an object`)
      const { accounts, repositories, actions, ...rest } = rule
      if (!areStrings(accounts)) throw wrong(`rule ${at + 1}: accounts is not a list of names`)
      if (!areStrings(repositories)) throw wrong(`rule ${at + 1}: repositories is not a list of patterns`)
      if (!areActions(actions)) throw wrong(`rule ${at + 1}: actions is not a list of pull, push and delete`)
      for (const key of Object.keys(rest)) throw wrong(`rule ${at + 1}: unknown key ${key}`)
    })
    return new Rules(value as Policy)
  }

  /** @param account undefined: nobody logged in */
  allows(account: string | undefined, repository: string, action: Action): boolean {
    if (this.#policy.anonymous?.includes(action)) return true
    return (this.#policy.rules ?? []).some(
      ({ accounts, actions }, i) =>
        actions.includes(action) &&
        accounts.some((it) =>
          account === undefined ? it === 'anonymous' : it === account || it === '*' || it === 'anonymous',
        ) &&
        this.#patterns[i]!.some((it) => it.test(repository)),
    )
  }
}

/** Only `*` means something: everything else is taken as it is. */
function pattern(text: string): RegExp {
  const parts = text.split(/(\*\*|\*)/).map((part) => {
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    return part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const areStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((it) => typeof it === 'string' && it !== '')
const areActions = (value: unknown): value is Action[] => areStrings(value) && value.every((it) => ACTIONS.includes(it))
