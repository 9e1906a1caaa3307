import { ARITY, entries, FUNCTIONS, type TemplateFunction } from './functions.js'
import {
  type Command,
  type Expression,
  type Node,
  type Pipe,
  type Place,
  type Template,
  TemplateError,
} from './nodes.js'
import { Fields, isMap, isNil, print, truth, typeName } from './values.js'

/** What a field that is not there gives. */
export type MissingKey = 'error' | 'no value'

export interface EvaluateOptions {
  /** For maps. Default `no value`, which prints as `<no value>`. */
  missingKey?: MissingKey
  /** Functions instead of the usual ones. */
  functions?: Record<string, TemplateFunction>
}

/** Deepest nesting of `{{template}}`: Go's limit is far beyond what a stack of JavaScript holds. */
const MAX_DEPTH = 1000

class Jump extends Error {
  constructor(readonly kind: 'break' | 'continue') {
    super(kind)
  }
}

/** Marks the value of a map's missing key, so that it prints as `<no value>`. */
const NO_VALUE = Symbol('no value')

/**
 * Executes a template on `data`.
 *
 * @throws TemplateError with Go's words
 */
export function evaluate(template: Template, data: unknown, options: EvaluateOptions = {}): string {
  const out: string[] = []
  new Evaluator(template, options, out).walk(template.root, data)
  return out.join('')
}

class Evaluator {
  #variables: [name: string, value: unknown][] = []
  #depth = 0
  readonly #functions: Record<string, TemplateFunction>

  constructor(
    readonly template: Template,
    readonly options: EvaluateOptions,
    readonly out: string[],
  ) {
    this.#functions = { ...FUNCTIONS, ...options.functions }
  }

  /** Executes a template's nodes: `$` is its data. */
  walk(nodes: readonly Node[], data: unknown): void {
    if (++this.#depth > MAX_DEPTH) throw new TemplateError(`template: : exceeded maximum template depth (${MAX_DEPTH})`)
    const outer = this.#variables
    this.#variables = [['$', data]]
    this.#nodes(nodes, data)
    this.#variables = outer
    this.#depth--
  }

  #nodes(nodes: readonly Node[], dot: unknown): void {
    const mark = this.#variables.length
    try {
      for (const node of nodes) this.#node(node, dot)
    } finally {
      this.#variables.length = mark
    }
  }

  #node(node: Node, dot: unknown): void {
    switch (node.kind) {
      case 'text':
        this.out.push(node.text)
        return
      case 'action': {
        const value = this.#pipe(node.pipe, dot)
        if (node.pipe.variables.length === 0) this.out.push(value === NO_VALUE ? '<no value>' : this.#print(value))
        return
      }
      case 'template':
        this.#call(node.name, node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot), node.place)
        return
      case 'break':
      case 'continue':
        throw new Jump(node.kind)
      default:
        this.#scoped(() => this.#control(node, dot))
    }
  }

  #control(node: Extract<Node, { body: Node[] }>, dot: unknown): void {
    if (node.kind === 'range') {
      this.#range(node, dot)
      return
    }
    const value = clean(this.#pipe(node.pipe, dot))
    if (truth(value)) this.#nodes(node.body, node.kind === 'with' ? value : dot)
    else this.#nodes(node.otherwise, dot)
  }

  #range(node: Extract<Node, { body: Node[] }>, dot: unknown): void {
    const { variables, declare } = node.pipe
    const value = clean(this.#pipe({ ...node.pipe, variables: [] }, dot))
    const items = this.#attempt(node.pipe.place, () => entries(value))
    const mark = this.#variables.length
    for (const [key, item] of items) {
      this.#variables.length = mark
      const values = variables.length === 2 ? [key, item] : [item]
      for (const [at, name] of variables.entries()) this.#assign(name, values[at], declare)
      try {
        this.#nodes(node.body, item)
      } catch (error) {
        if (!(error instanceof Jump)) throw error
        if (error.kind === 'break') break
      }
    }
    this.#variables.length = mark
    if (items.length === 0) this.#nodes(node.otherwise, dot)
  }

  #scoped(body: () => void): void {
    const mark = this.#variables.length
    try {
      body()
    } finally {
      this.#variables.length = mark
    }
  }

  #call(name: string, data: unknown, place: Place): void {
    const nodes = this.template.defined.get(name)
    if (nodes === undefined) throw failed(place, `template "${name}" not defined`)
    this.walk(nodes, clean(data))
  }

  #pipe(pipe: Pipe, dot: unknown): unknown {
    let value: unknown
    for (const [stage, command] of pipe.commands.entries()) {
      value = this.#command(command, dot, stage === 0 ? [] : [clean(value)])
    }
    for (const name of pipe.variables) this.#assign(name, clean(value), pipe.declare)
    return value
  }

  #assign(name: string, value: unknown, declare: boolean): void {
    const known = declare ? undefined : this.#variables.findLast(([other]) => other === name)
    if (known === undefined) this.#variables.push([name, value])
    else known[1] = value
  }

  #command(command: Command, dot: unknown, final: unknown[]): unknown {
    const [head, ...rest] = command.args as [Expression, ...Expression[]]
    if (head.kind === 'function') return this.#function(head.name, rest, dot, final, head.place)
    const args = () => [...rest.map((arg) => clean(this.#value(arg, dot))), ...final]
    if (head.kind === 'field') return this.#fields(dot, head.names, args, head.place)
    if (head.kind === 'chain') return this.#fields(clean(this.#value(head.target, dot)), head.names, args, head.place)
    if (head.kind === 'variable' && head.names.length > 0)
      return this.#fields(this.#variable(head.name), head.names, args, head.place)
    if (rest.length > 0 || final.length > 0)
      throw failed(head.place, `can't give argument to non-function ${head.place.text}`)
    return this.#value(head, dot)
  }

  #value(expression: Expression, dot: unknown): unknown {
    switch (expression.kind) {
      case 'dot':
        return dot
      case 'nil':
        return null
      case 'literal':
        return expression.value
      case 'field':
        return this.#fields(dot, expression.names, () => [], expression.place)
      case 'variable':
        return this.#fields(this.#variable(expression.name), expression.names, () => [], expression.place)
      case 'chain':
        return this.#fields(clean(this.#value(expression.target, dot)), expression.names, () => [], expression.place)
      case 'function':
        return this.#function(expression.name, [], dot, [], expression.place)
      case 'pipe':
        return this.#pipe(expression.pipe, dot)
    }
  }

  #variable(name: string): unknown {
    return this.#variables.findLast(([other]) => other === name)?.[1]
  }

  /** `a.b.c`: all but the last without arguments. */
  #fields(target: unknown, names: readonly string[], args: () => unknown[], place: Place): unknown {
    let value = target
    for (const [at, name] of names.entries()) {
      if (value === NO_VALUE) value = undefined
      value = this.#field(value, name, at === names.length - 1 ? args() : [], place)
    }
    return value
  }

  #field(target: unknown, name: string, args: unknown[], place: Place): unknown {
    if (isNil(target)) {
      if (this.options.missingKey === 'error') throw failed(place, `nil data; no entry for key "${name}"`)
      return NO_VALUE
    }
    if (target instanceof Fields) return this.#method(target, name, args, place)
    if (!isMap(target)) throw failed(place, `can't evaluate field ${name} in type ${typeName(target)}`)
    if (args.length > 0) throw failed(place, `${name} is not a method but has arguments`)
    if (Object.hasOwn(target, name)) return target[name]
    if (this.options.missingKey === 'error') throw failed(place, `map has no entry for key "${name}"`)
    return NO_VALUE
  }

  #method(target: Fields, name: string, args: unknown[], place: Place): unknown {
    if (!Object.hasOwn(target.fields, name))
      throw failed(place, `can't evaluate field ${name} in type ${target.typeName}`)
    const value = target.fields[name]
    if (typeof value !== 'function') {
      if (args.length > 0) throw failed(place, `wrong number of args for ${name}: want 0 got ${args.length}`)
      return value
    }
    if (args.length !== value.length)
      throw failed(place, `wrong number of args for ${name}: want ${value.length} got ${args.length}`)
    return value(...args)
  }

  #function(name: string, rest: readonly Expression[], dot: unknown, final: readonly unknown[], place: Place): unknown {
    const count = rest.length + final.length
    const [min, max] = ARITY[name] ?? [0, Number.POSITIVE_INFINITY]
    if (count < min || count > max) {
      throw failed(
        place,
        `wrong number of args for ${name}: want ${min === max ? min : `at least ${min}`} got ${count}`,
      )
    }
    if (name === 'and' || name === 'or') return this.#shortCircuit(name, rest, dot, final)
    const args = [...rest.map((arg) => clean(this.#value(arg, dot))), ...final]
    if (name === 'not') return !truth(args[0])
    const call = this.#functions[name] as (...args: unknown[]) => unknown
    return this.#attempt({ ...place, text: place.text }, () => call(...args), name)
  }

  #shortCircuit(name: 'and' | 'or', rest: readonly Expression[], dot: unknown, final: readonly unknown[]): unknown {
    const values = [...rest.map((arg) => () => clean(this.#value(arg, dot))), ...final.map((value) => () => value)]
    let value: unknown
    for (const next of values) {
      value = next()
      if (truth(value) === (name === 'or')) break
    }
    return value
  }

  #attempt<T>(place: Place, body: () => T, name?: string): T {
    try {
      return body()
    } catch (error) {
      if (error instanceof TemplateError || error instanceof Jump) throw error
      throw failed(
        place,
        name === undefined ? (error as Error).message : `error calling ${name}: ${(error as Error).message}`,
      )
    }
  }

  #print(value: unknown): string {
    return isNil(value) ? '<no value>' : print(value)
  }
}

const clean = (value: unknown): unknown => (value === NO_VALUE ? undefined : value)

function failed(place: Place, message: string): TemplateError {
  return new TemplateError(`template: :${place.line}:${place.column}: executing "" at <${place.text}>: ${message}`)
}
