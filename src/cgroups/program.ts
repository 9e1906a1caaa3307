import type { DeviceRule } from '../oci/devices.js'

// Values of linux/bpf.h and linux/bpf_common.h.
const loadWord = 0x61 // BPF_LDX | BPF_MEM | BPF_W
const move32 = 0xbc // BPF_ALU | BPF_MOV | BPF_X
const move64Value = 0xb7 // BPF_ALU64 | BPF_MOV | BPF_K
const and32Value = 0x54 // BPF_ALU | BPF_AND | BPF_K
const shiftRight32Value = 0x74 // BPF_ALU | BPF_RSH | BPF_K
const jumpEqualValue = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
const jumpNotEqualValue = 0x55 // BPF_JMP | BPF_JNE | BPF_K
const exit = 0x95

// Registers: the kernel passes the context in 1, we keep its fields (struct bpf_cgroup_dev_ctx) in 2 to 5.
const result = 0
const context = 1
const type = 2
const access = 3
const major = 4
const minor = 5
const scratch = 6

const typeBits = { b: 1, c: 2 } // BPF_DEVCG_DEV_*
const accessBits: Record<string, number> = { m: 1, r: 2, w: 4 } // BPF_DEVCG_ACC_*
const everyAccess = 7

class Assembler {
  readonly #words: number[][] = []

  emit(code: number, to: number, from: number, offset: number, value: number): number {
    return this.#words.push([code, to | (from << 4), offset, value]) - 1
  }

  /** Makes the jumps at `sources` go to the next instruction. */
  land(sources: number[]): void {
    for (const source of sources) this.#words[source]![2] = this.#words.length - source - 1
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#words.length * 8)
    const view = new DataView(bytes.buffer)
    for (const [i, word] of this.#words.entries()) {
      const [code, registers, offset, value] = word as [number, number, number, number]
      view.setUint8(i * 8, code)
      view.setUint8(i * 8 + 1, registers)
      view.setInt16(i * 8 + 2, offset, true)
      view.setInt32(i * 8 + 4, value, true)
    }
    return bytes
  }
}

/**
 * Compiles device rules to a BPF_PROG_TYPE_CGROUP_DEVICE program (little-endian `struct bpf_insn`, 8 bytes each).
 *
 * A later rule overrides an earlier one, so the last one is tested first and the first match decides. An allowing rule
 * matches when it grants all of the access asked for, a denying one when it denies any of it. What no rule names is denied.
 */
export function compileDeviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const asm = new Assembler()
  asm.emit(loadWord, access, context, 0, 0)
  asm.emit(move32, type, access, 0, 0)
  asm.emit(and32Value, type, 0, 0, 0xffff)
  asm.emit(shiftRight32Value, access, 0, 0, 16)
  asm.emit(loadWord, major, context, 4, 0)
  asm.emit(loadWord, minor, context, 8, 0)

  const decide = (allow: boolean): void => {
    asm.emit(move64Value, result, 0, 0, allow ? 1 : 0)
    asm.emit(exit, 0, 0, 0, 0)
  }

  for (const rule of rules.toReversed()) {
    const misses: number[] = []
    if (rule.type !== 'a') misses.push(asm.emit(jumpNotEqualValue, type, 0, 0, typeBits[rule.type]))
    const bits = [...rule.access].reduce((sum, letter) => sum | accessBits[letter]!, 0)
    if (bits !== everyAccess) {
      asm.emit(move32, scratch, access, 0, 0)
      asm.emit(and32Value, scratch, 0, 0, rule.allow ? everyAccess & ~bits : bits)
      misses.push(asm.emit(rule.allow ? jumpNotEqualValue : jumpEqualValue, scratch, 0, 0, 0))
    }
    if (rule.major !== null) misses.push(asm.emit(jumpNotEqualValue, major, 0, 0, rule.major))
    if (rule.minor !== null) misses.push(asm.emit(jumpNotEqualValue, minor, 0, 0, rule.minor))
    decide(rule.allow)
    asm.land(misses)
    // A rule that matches everything hides those before it, and the verifier refuses instructions nothing reaches.
    if (misses.length === 0) return asm.bytes()
  }
  decide(false)
  return asm.bytes()
}
