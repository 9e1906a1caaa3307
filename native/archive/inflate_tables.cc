#include "inflate_tables.h"

namespace jubako::archive {

namespace {

constexpr unsigned kMaxBits = 15;
constexpr size_t kMaxSymbols = 288;

constexpr uint16_t kLengthBase[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr uint8_t kLengthExtra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                    2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr uint16_t kDistanceBase[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                      33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                      1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr uint8_t kDistanceExtra[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                      6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

constexpr uint8_t rest(CodeEntry::Kind kind, unsigned low) { return static_cast<uint8_t>(kind << 4 | low); }

CodeEntry meaning(Alphabet alphabet, size_t symbol, unsigned bits) {
  const auto length = static_cast<uint8_t>(bits);
  const auto value = static_cast<uint16_t>(symbol);
  if (alphabet == Alphabet::kCodeLengths) return {value, length, rest(CodeEntry::kLiteral, 0)};
  if (alphabet == Alphabet::kDistances) {
    if (symbol >= sizeof kDistanceExtra) return {0, length, rest(CodeEntry::kInvalid, 0)};
    return {kDistanceBase[symbol], length, rest(CodeEntry::kBase, kDistanceExtra[symbol])};
  }
  if (symbol < 256) return {value, length, rest(CodeEntry::kLiteral, 0)};
  if (symbol == 256) return {0, length, rest(CodeEntry::kEnd, 0)};
  if (symbol - 257 >= sizeof kLengthExtra) return {0, length, rest(CodeEntry::kInvalid, 0)};
  return {kLengthBase[symbol - 257], length, rest(CodeEntry::kBase, kLengthExtra[symbol - 257])};
}

unsigned reversed(unsigned code, unsigned bits) {
  unsigned out = 0;
  for (unsigned i = 0; i < bits; i++) out |= (code >> i & 1) << (bits - 1 - i);
  return out;
}

}  // namespace

bool build_table(const uint8_t* lengths, size_t count, Alphabet alphabet, CodeEntry* table) {
  const unsigned index_bits = alphabet == Alphabet::kLengths     ? kLengthBits
                              : alphabet == Alphabet::kDistances ? kDistanceBits
                                                                 : kCodeBits;
  unsigned per_length[kMaxBits + 1] = {};
  for (size_t i = 0; i < count; i++) per_length[lengths[i]]++;
  per_length[0] = 0;

  // Unused codes left; none may be missing, except that a single code of one bit stands alone (RFC 1951, 3.2.7).
  int left = 1;
  unsigned used = 0;
  unsigned next[kMaxBits + 2] = {};
  for (unsigned bits = 1; bits <= kMaxBits; bits++) {
    left = left * 2 - static_cast<int>(per_length[bits]);
    if (left < 0) return false;
    used += per_length[bits];
    next[bits + 1] = (next[bits] + per_length[bits]) << 1;
  }
  const bool lonely = alphabet != Alphabet::kCodeLengths && (used == 0 || (used == 1 && per_length[1] == 1));
  if (left > 0 && !lonely) return false;
  const size_t first_size = size_t{1} << index_bits;
  if (left > 0) {
    for (size_t i = 0; i < first_size; i++) table[i] = {0, 1, rest(CodeEntry::kInvalid, 0)};
  }

  // Symbols by length, then by value: the order of their codes.
  uint16_t order[kMaxSymbols];
  unsigned start[kMaxBits + 2] = {};
  for (unsigned bits = 1; bits <= kMaxBits; bits++) start[bits + 1] = start[bits] + per_length[bits];
  for (size_t i = 0; i < count; i++) {
    if (lengths[i] != 0) order[start[lengths[i]]++] = static_cast<uint16_t>(i);
  }

  size_t second = first_size;  // where the next second table begins
  size_t current = 0;          // the second table in use
  unsigned current_prefix = ~0U, current_bits = 0;
  unsigned seen[kMaxBits + 1] = {};
  for (unsigned i = 0; i < used; i++) {
    const size_t symbol = order[i];
    const unsigned bits = lengths[symbol];
    const unsigned code = reversed(next[bits]++, bits);
    seen[bits]++;
    const CodeEntry entry = meaning(alphabet, symbol, bits);
    if (bits <= index_bits) {
      for (size_t at = code; at < first_size; at += size_t{1} << bits) table[at] = entry;
      continue;
    }
    const unsigned prefix = code & static_cast<unsigned>(first_size - 1);
    if (prefix != current_prefix) {
      // Large enough for every code that begins so: as long as codes of one length do not fill it, longer ones come.
      current_prefix = prefix;
      current = second;
      current_bits = bits - index_bits;
      int room = (1 << current_bits) - static_cast<int>(per_length[bits] - seen[bits] + 1);
      while (room > 0 && index_bits + current_bits < kMaxBits) {
        current_bits++;
        room = room * 2 - static_cast<int>(per_length[index_bits + current_bits]);
      }
      table[prefix] = {static_cast<uint16_t>(current), static_cast<uint8_t>(index_bits),
                       rest(CodeEntry::kSecond, current_bits)};
      second += size_t{1} << current_bits;
    }
    for (size_t at = code >> index_bits; at < size_t{1} << current_bits; at += size_t{1} << (bits - index_bits)) {
      table[current + at] = entry;
    }
  }
  return true;
}

}  // namespace jubako::archive
