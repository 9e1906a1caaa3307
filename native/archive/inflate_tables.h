#pragma once

#include <cstddef>
#include <cstdint>

namespace jubako::archive {

/**
 * One step of decoding a Huffman code (RFC 1951, 3.2): how many bits the code has, how many extra bits follow, and what
 * it means. Codes longer than a table's index lead to a second table.
 */
struct CodeEntry {
  enum Kind : uint8_t { kLiteral, kBase, kEnd, kSecond, kInvalid };
  /** A literal, the least length or distance, or where the second table begins. */
  uint16_t value;
  /** Of the code; of an entry that leads on, the index bits of the first table. */
  uint8_t bits;
  /** `kind` in the upper half; extra bits, or index bits of the second table, in the lower. */
  uint8_t rest;

  Kind kind() const { return static_cast<Kind>(rest >> 4); }
  unsigned extra() const { return rest & 15; }
};

constexpr unsigned kLengthBits = 11, kDistanceBits = 8, kCodeBits = 7;
// First tables, and as many entries for second ones as complete codes of at most 15 bits can need.
constexpr size_t kLengthEntries = (1U << kLengthBits) + 1334, kDistanceEntries = (1U << kDistanceBits) + 402;

enum class Alphabet { kCodeLengths, kLengths, kDistances };

/**
 * Builds the table for code lengths of `count` symbols. False when they are no code: over-subscribed, or incomplete
 * where the format does not allow it.
 */
bool build_table(const uint8_t* lengths, size_t count, Alphabet alphabet, CodeEntry* table);

}  // namespace jubako::archive
