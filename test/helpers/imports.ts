/** The import rules of ARCHITECTURE.md, checked with the TypeScript compiler's own parser. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'

/** Rooms of `src/` by rank. `index.ts` is the package's entry and may see everything. */
export const RANKS: Readonly<Record<string, number>> = {
  errors: 0,
  oci: 0,
  native: 1,
  cgroups: 2,
  overlay: 2,
  content: 2,
  archive: 2,
  registry: 2,
  network: 2,
  dockerfile: 2,
  images: 3,
  runtime: 3,
  builder: 3,
  engine: 4,
  api: 5,
  cli: 5,
  hub: 5,
  'index.ts': 6,
  'program.ts': 6,
  'private-host.ts': 6,
  'served-engine.ts': 6,
}

/** Ranks whose rooms never import each other. */
const SEPARATE = new Set([2, 3, 5])

/** Below this rank code has no environment, no output and no exit. */
const PURE_BELOW = 4

/** What a room below {@link PURE_BELOW} may read of `process`. */
const HARMLESS_PROCESS = new Set(
  'arch emitWarning execPath getegid geteuid getgid getuid hrtime memoryUsage nextTick pid platform version versions'.split(
    ' ',
  ),
)

interface Import {
  specifier: string
  line: number
}

export interface SourceFacts {
  imports: Import[]
  /** Uses of the process or the console that only the edges may make. */
  impure: { name: string; line: number }[]
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  if (ts.isQualifiedName(parent)) return parent.right === node
  return (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent)) &&
    parent.name === node
  )
}

function impureUse(node: ts.Identifier): string | undefined {
  if (isMemberName(node)) return undefined
  if (node.text === 'console') return 'console'
  if (node.text !== 'process') return undefined
  const { parent } = node
  if (!ts.isPropertyAccessExpression(parent)) return 'process'
  return HARMLESS_PROCESS.has(parent.name.text) ? undefined : `process.${parent.name.text}`
}

function importOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined
  if (ts.isExternalModuleReference(node)) return node.expression
  if (ts.isCallExpression(node)) {
    const { expression } = node
    const loads =
      expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(expression) && expression.text === 'require')
    return loads ? node.arguments[0] : undefined
  }
  return undefined
}

/** Every import of one source text, whatever its form, and its impure uses. */
export function readFacts(file: string, text: string): SourceFacts {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const facts: SourceFacts = { imports: [], impure: [] }
  const lineOf = (node: ts.Node) => source.getLineAndCharacterOfPosition(node.getStart()).line + 1
  const visit = (node: ts.Node): void => {
    const specifier = importOf(node)
    if (specifier !== undefined) {
      const literal = ts.isStringLiteralLike(specifier) ? specifier.text : '<computed>'
      facts.imports.push({ specifier: literal, line: lineOf(node) })
    }
    if (ts.isIdentifier(node)) {
      const name = impureUse(node)
      if (name !== undefined) facts.impure.push({ name, line: lineOf(node) })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return facts
}

function sourceFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[mc]?ts$/.test(name) && statSync(join(root, name)).isFile())
    .sort()
}

/** Path below `root` of what a relative import names, or undefined when nothing is there. */
function resolveImport(root: string, from: string, specifier: string): string | undefined {
  const target = resolve(root, dirname(from), specifier)
  const candidates = [target.replace(/\.([mc]?)js$/, '.$1ts'), `${target}.ts`, join(target, 'index.ts')]
  const found = candidates.find((candidate) => existsSync(candidate) && statSync(candidate).isFile())
  return found === undefined ? undefined : relative(root, found)
}

const roomOf = (file: string) => file.split('/')[0] ?? file

function directionFault(from: string, to: string): string | undefined {
  if (from === to) return undefined
  const [fromRank, toRank] = [RANKS[from], RANKS[to]]
  if (fromRank === undefined) return `${from} is no room of ARCHITECTURE.md`
  if (toRank === undefined) return `${to} is no room of ARCHITECTURE.md`
  if (toRank > fromRank) return `${from} (rank ${fromRank}) may not import ${to} (rank ${toRank})`
  if (toRank === fromRank && SEPARATE.has(fromRank)) return `${from} and ${to} never import each other`
  return undefined
}

/** One cycle through each strongly connected part of the graph, as `a -> b -> a`. */
export function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  const walk = (node: string, path: string[]): void => {
    const at = path.indexOf(node)
    if (at >= 0) {
      cycles.push([...path.slice(at), node].join(' -> '))
      return
    }
    if (done.has(node)) return
    for (const next of graph.get(node) ?? []) walk(next, [...path, node])
    done.add(node)
  }
  for (const node of graph.keys()) walk(node, [])
  return cycles
}

/** Everything wrong with the imports of a `src` directory, one line each; empty when all is well. */
export function importFaults(root: string): string[] {
  const faults: string[] = []
  const graph = new Map<string, string[]>()
  for (const file of sourceFiles(root)) {
    const room = roomOf(file)
    const rank = RANKS[room]
    if (rank === undefined) faults.push(`${file}: ${room} is no room of ARCHITECTURE.md`)
    const facts = readFacts(file, readFileSync(join(root, file), 'utf8'))
    const edges = new Set<string>()
    for (const { specifier, line } of facts.imports) {
      const where = `${file}:${line}`
      if (specifier === '<computed>' && rank !== 1) faults.push(`${where}: a computed import hides its direction`)
      if ((rank ?? 0) < PURE_BELOW && /^(node:)?process$/.test(specifier)) faults.push(`${where}: imports ${specifier}`)
      if (!specifier.startsWith('.')) continue
      const target = resolveImport(root, file, specifier)
      if (target === undefined || target.startsWith('..')) {
        faults.push(`${where}: ${specifier} is not in src`)
        continue
      }
      edges.add(target)
      const fault = directionFault(room, roomOf(target))
      if (fault !== undefined) faults.push(`${where}: ${fault}`)
    }
    graph.set(file, [...edges])
    if ((rank ?? 0) < PURE_BELOW) {
      faults.push(...facts.impure.map(({ name, line }) => `${file}:${line}: ${name} below rank ${PURE_BELOW}`))
    }
  }
  return [...faults, ...findCycles(graph).map((cycle) => `cycle: ${cycle}`)]
}
