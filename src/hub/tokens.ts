import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Action } from './policy.js'

/** What a token lets its bearer do with one repository. */
export interface Grant {
  type: 'repository'
  name: string
  actions: Action[]
}

export interface Token {
  /** Empty: nobody logged in. */
  account: string
  access: Grant[]
}

/** Seconds. */
export const TOKEN_LIFE = 300

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Bearer tokens (JWT, HS256) of one running registry: the key dies with it, clients ask for another token then. */
export class Tokens {
  readonly #key = randomBytes(32)

  constructor(private readonly service: string) {}

  issue({ account, access }: Token, now = Date.now()): string {
    const issued = Math.floor(now / 1000)
    const claims = { iss: this.service, aud: this.service, sub: account, iat: issued, exp: issued + TOKEN_LIFE, access }
    const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
    return `${body}.${this.#sign(body).toString('base64url')}`
  }

  /** @returns undefined for what this registry did not issue, or too long ago */
  read(text: string, now = Date.now()): Token | undefined {
    const end = text.lastIndexOf('.')
    const given = Buffer.from(text.slice(end + 1), 'base64url')
    const expected = this.#sign(text.slice(0, end))
    if (end < 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
    const claims = JSON.parse(Buffer.from(text.slice(0, end).split('.')[1] ?? '', 'base64url').toString()) as {
      sub: string
      exp: number
      access: Grant[]
    }
    return claims.exp * 1000 <= now ? undefined : { account: claims.sub, access: claims.access }
  }

  #sign(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest()
  }
}
