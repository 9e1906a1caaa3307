import { type Arch, archs, comparisons, type SeccompRules } from '../oci/seccomp.js'
import { addon } from './addon.js'
import { isNativeFailure, nativeError } from './failure.js'

/** Grows as it is written. Little endian, as `native/sys/bytes.h` reads it. */
class Writer {
  #buffer = Buffer.allocUnsafe(16 * 1024)
  #size = 0

  u32(value: number): void {
    this.#size = this.#room(4).writeUInt32LE(value, this.#size)
  }

  u64(value: bigint): void {
    this.#size = this.#room(8).writeBigUInt64LE(value, this.#size)
  }

  text(value: string): void {
    this.u32(value.length)
    this.#room(value.length + 1).write(value, this.#size, 'latin1')
    this.#size += value.length
    this.#buffer[this.#size++] = 0
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size)
  }

  #room(size: number): Buffer {
    if (this.#size + size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe((this.#size + size) * 2)
      this.#buffer.copy(larger, 0, 0, this.#size)
      this.#buffer = larger
    }
    return this.#buffer
  }
}

/** The flat form that `native/seccomp/rules.h` reads. */
function encode(rules: SeccompRules): Buffer {
  const out = new Writer()
  out.u32(rules.archs.length)
  for (const arch of rules.archs) out.u32(archs.indexOf(arch))
  for (const action of [rules.defaultAction, rules.newerAction, rules.badArchAction, rules.x32Action]) out.u32(action)
  out.u32(rules.rules.reduce((sum, { names }) => sum + names.length, 0))
  for (const { names, action, conditions } of rules.rules)
    for (const name of names) {
      out.text(name)
      out.u32(action)
      out.u32(conditions.length)
      for (const { index, op, word, value, mask } of conditions) {
        out.u32(index)
        out.u32(comparisons.indexOf(op))
        out.u32(word ? 1 : 0)
        out.u64(value)
        out.u64(mask)
      }
    }
  return out.bytes()
}

/**
 * Assembles a filter to the classic BPF program that seccomp(2) takes: an array of `struct sock_filter`, 8 bytes each.
 *
 * @throws {@link JubakoError} when the program is longer than the kernel takes.
 */
export function assembleSeccomp(rules: SeccompRules): Buffer {
  try {
    return addon().assembleSeccomp(encode(rules))
  } catch (error) {
    if (!isNativeFailure(error)) throw error
    throw nativeError(error, 'cannot assemble the seccomp profile', {
      hint: 'the profile has too many rules for the 4096 instructions the kernel takes',
    })
  }
}

/** The number of a system call, x32 with its bit 30; null when the architecture does not have it. */
export function syscallNumber(name: string, arch: Arch): number | null {
  const number = addon().syscallNumber(name, archs.indexOf(arch))
  return number < 0 ? null : number
}
