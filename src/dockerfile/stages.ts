import { DockerfileError } from './error.js'
import { type Instruction, type InstructionOf, parseInstruction } from './instructions.js'
import { type Directive, type ParsedDockerfile, parseStatements, type Statement } from './parse.js'

/** One FROM and what follows it. */
export interface Stage {
  index: number
  /** Lower case; empty without AS. */
  name: string
  from: InstructionOf<'from'>
  instructions: Exclude<Instruction, { kind: 'from' }>[]
}

export interface Dockerfile {
  source: string
  /** ARG before the first FROM. */
  globals: InstructionOf<'arg'>[]
  stages: Stage[]
  directives: Directive[]
  escape: string
  statements: Statement[]
  emptyContinuations: ParsedDockerfile['emptyContinuations']
}

/**
 * Parses a Dockerfile.
 *
 * @throws DockerfileError with the place
 */
export function parseDockerfile(text: string): Dockerfile {
  const parsed = parseStatements(text)
  const globals: InstructionOf<'arg'>[] = []
  const stages: Stage[] = []
  for (const statement of parsed.statements) {
    const instruction = instructionAt(statement, parsed.source)
    if (instruction.kind === 'from') {
      stages.push({ index: stages.length, name: instruction.name, from: instruction, instructions: [] })
    } else if (stages.length > 0) {
      stages.at(-1)!.instructions.push(instruction)
    } else if (instruction.kind === 'arg') {
      globals.push(instruction)
    } else {
      throw new DockerfileError('no build stage in current context', statement.location, {
        hint: 'a Dockerfile begins with FROM; only ARG may come before it',
      })
    }
  }
  if (stages.length === 0) {
    throw new DockerfileError('dockerfile contains no stages to build', parsed.statements.at(-1)!.location, {
      hint: 'add a FROM instruction',
    })
  }
  const { source, directives, statements, emptyContinuations } = parsed
  return { source, globals, stages, directives, escape: parsed.escape, statements, emptyContinuations }
}

function instructionAt(statement: Statement, source: string): Instruction {
  try {
    return parseInstruction(statement)
  } catch (error) {
    const { location } = statement
    const message = `dockerfile parse error on line ${location.line}: ${(error as Error).message}`
    throw new DockerfileError(message, { ...location, ...placeOf(error as Error, statement, source) })
  }
}

/** Where the word that the message names stands. */
function placeOf(error: Error, { location }: Statement, source: string): { line: number; column: number } | undefined {
  const word = /(?:flag:?|flag specified:|on flag:) (--[\w-]+)|key '([^']+)'|(?:type|value|mode:?) "([^"]+)"/.exec(
    error.message,
  )
  const text = word?.slice(1).find((part) => part !== undefined)
  if (text === undefined) return undefined
  const lines = source.split('\n').slice(location.line - 1, location.endLine)
  for (const [i, line] of lines.entries()) {
    const at = line.indexOf(text)
    if (at >= 0) return { line: location.line + i, column: at + 1 }
  }
  return undefined
}

/** One instruction of an image's ONBUILD list. */
export function parseTrigger(expression: string): Instruction[] {
  return parseStatements(expression).statements.map((statement) => instructionAt(statement, expression))
}
