/** A layer unpacker made with the system's `tar`: for tests of what surrounds the real one. Trusted layers only. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { LayerUnpacker, UnpackRequest } from '../../src/images/index.js'

export class TarUnpacker implements LayerUnpacker {
  /** Layers unpacked so far. */
  count = 0

  async unpack({ fd, size, target, signal, onProgress }: UnpackRequest) {
    this.count++
    const chunks: Buffer[] = []
    for await (const chunk of createReadStream('', { fd, autoClose: false, start: 0 })) chunks.push(chunk)
    const packed = Buffer.concat(chunks)
    const tar = packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed) : packed
    signal?.throwIfAborted()
    const names = await extract(tar, target)
    onProgress?.(size)
    return {
      diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}`,
      size: tar.length,
      entries: names.length,
      implicitDirectories: implicitDirectories(names),
    }
  }
}

/** @returns the names in the archive, as tar lists them */
function extract(tar: Buffer, target: string): Promise<string[]> {
  return new Promise((settle, fail) => {
    const child = spawn('tar', ['-xpv', '--numeric-owner', '-C', target])
    let [listing, errors] = ['', '']
    child.stdout.on('data', (chunk) => {
      listing += chunk
    })
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    child.on('close', (code) => {
      if (code === 0) settle(listing.split('\n').filter((name) => name !== ''))
      else fail(new Error(`tar: ${errors}`))
    })
    // tar ends at the end mark and leaves the padding unread.
    child.stdin.on('error', () => undefined).end(tar)
  })
}

function implicitDirectories(names: string[]): string[] {
  const clean = (name: string) => name.replace(/^\.\/|\/$/g, '') || '.'
  const own = new Set(names.map(clean))
  const implicit = new Set(own.has('.') ? [] : ['.'])
  for (const name of own) {
    const parts = name.split('/')
    for (let i = 1; i < parts.length; i++) {
      const parent = parts.slice(0, i).join('/')
      if (!own.has(parent)) implicit.add(parent)
    }
  }
  return [...implicit].sort()
}
