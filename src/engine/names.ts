import { randomInt } from 'node:crypto'
import { invalidArgument } from '../errors/index.js'

const adjectives =
  'able agile amber bold brave bright brisk calm candid clever cosy crisp daring deft eager early fair fine fleet fond frank gentle glad grand happy hardy honest humble jolly keen kind lively loyal lucid merry mild modest neat nimble noble patient plain polite prompt proud quick quiet ready sharp silent sincere smart snug sober steady subtle sunny sure swift tidy vivid warm wise witty zealous'.split(
    ' ',
  )
const surnames =
  'abel babbage bell blackwell boole borg cerf chomsky church codd conway cray curie darwin diffie dijkstra easley euler fermat floyd franklin galileo gauss goldberg hamilton hawking hellman hoare hopper hypatia kahn kernighan knuth kowalevski lamarr lamport liskov lovelace mccarthy meitner milner minsky moore morse naur neumann newton noether pasteur perlman planck pike ritchie shannon stallman steele sutherland tesla thompson torvalds turing wiles wilkes wing wirth wozniak yonath'.split(
    ' ',
  )

/** A name like `brave_hopper`; with a digit after the first attempts. */
export function generateName(attempt: number): string {
  const name = `${adjectives[randomInt(adjectives.length)]}_${surnames[randomInt(surnames.length)]}`
  return attempt < 3 ? name : `${name}${randomInt(10 ** (attempt - 2))}`
}

const form = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

export const isValidName = (name: string): boolean => form.test(name)

/** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT with Docker's message */
export function checkName(name: string): void {
  if (isValidName(name)) return
  throw invalidArgument(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`, {
    hint: 'at least two characters, the first a letter or digit',
  })
}
