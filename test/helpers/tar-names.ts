/** Every byte that a stream gives. */
export async function collectBytes(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Names of the members of a plain ustar archive. */
export function tarNames(archive: Buffer): string[] {
  const names: string[] = []
  const text = (block: Buffer, from: number, size: number) =>
    block.toString('latin1', from, from + size).replace(/\0.*$/s, '')
  for (let at = 0; at + 512 <= archive.length; ) {
    const block = archive.subarray(at, at + 512)
    if (block[0] === 0) break
    const prefix = text(block, 345, 155)
    if (block[156] !== 0x78) names.push(`${prefix === '' ? '' : `${prefix}/`}${text(block, 0, 100)}`)
    const size = Number.parseInt(text(block, 124, 12), 8)
    at += 512 + Math.ceil(size / 512) * 512
  }
  return names
}
