/**
 * Eight hexadecimal digits that tell stores apart that live side by side (FNV-1a of the run root). Every command needs it,
 * and `node:crypto` takes longer to load than most of them run.
 */
export function storeTag(runRoot: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(runRoot)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
