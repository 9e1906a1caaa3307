/** The syntax tree of a Go template (text/template/parse). */

/** Where a node stands, and its text, for messages. */
export interface Place {
  line: number
  column: number
  text: string
}

export type Expression =
  | { kind: 'dot'; place: Place }
  | { kind: 'nil'; place: Place }
  | { kind: 'literal'; value: string | number | boolean; place: Place }
  | { kind: 'field'; names: string[]; place: Place }
  | { kind: 'variable'; name: string; names: string[]; place: Place }
  | { kind: 'chain'; target: Expression; names: string[]; place: Place }
  | { kind: 'function'; name: string; place: Place }
  | { kind: 'pipe'; pipe: Pipe; place: Place }

/** A function, method or field, with its arguments; or a lone value. */
export interface Command {
  args: Expression[]
  place: Place
}

export interface Pipe {
  /** Variables set by the pipe: `$x :=`, `$x =`, or two of them for `range`. */
  variables: string[]
  /** `:=` makes new variables, `=` sets existing ones. */
  declare: boolean
  commands: Command[]
  place: Place
}

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'action'; pipe: Pipe }
  | { kind: 'if' | 'with' | 'range'; pipe: Pipe; body: Node[]; otherwise: Node[] }
  | { kind: 'template'; name: string; pipe: Pipe | undefined; place: Place }
  | { kind: 'break' | 'continue' }

/** A parsed template and the templates it defines. */
export interface Template {
  root: Node[]
  defined: Map<string, Node[]>
}

/** A template that does not parse or cannot be executed. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}
