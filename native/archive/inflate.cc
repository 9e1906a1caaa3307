#include "inflate.h"

#include <libdeflate.h>

namespace jubako::archive {

namespace {

constexpr unsigned kMaxMatch = 258;
// A turn of the fast loop: input for two refills; three literals and a match, which is copied eight bytes at a time.
constexpr ptrdiff_t kFastInput = 16, kFastOutput = 3 + kMaxMatch + 8;
constexpr size_t kMaxLengthCodes = 286, kMaxDistanceCodes = 30;

uint64_t load64(const uint8_t* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

/** Input to read, without bits that were taken ahead: a source may move its bytes then. */
bool Inflate::load() {
  unload();
  const Span span = source_.peek(static_cast<size_t>(kFastInput), fault_);
  in_ = in_start_ = span.data;
  in_end_ = span.data + span.size;
  return span.size > 0;
}

void Inflate::unload() {
  if (in_ == nullptr) return;
  in_ -= count_ / 8;
  count_ &= 7;
  bits_ &= (uint64_t{1} << count_) - 1;
  source_.consume(static_cast<size_t>(in_ - in_start_));
  in_ = in_start_ = in_end_ = nullptr;
}

bool Inflate::need(unsigned count) {
  while (count_ < count) {
    if (in_ == in_end_) {
      // It gives back what was taken ahead: what is left must be enough, or the loop would not end.
      load();
      if (static_cast<uint64_t>(in_end_ - in_) * 8 + count_ < count) {
        return !fault_.set() && fault_.malformed({"the gzip stream ends early"});
      }
    }
    bits_ |= static_cast<uint64_t>(*in_++) << count_;
    count_ += 8;
  }
  return true;
}

unsigned Inflate::take_bits(unsigned count) {
  const auto value = static_cast<unsigned>(bits_ & ((uint64_t{1} << count) - 1));
  bits_ >>= count;
  count_ -= count;
  return value;
}

bool Inflate::hand_over() {
  const auto size = static_cast<size_t>(out_ - out_start_);
  checksum_ = libdeflate_crc32(checksum_, out_start_, size);
  size_ += size;
  out_ = out_start_ = out_end_ = nullptr;
  return size == 0 || output_.commit(size);
}

bool Inflate::make_room() {
  if (out_ < out_end_) return true;
  if (!hand_over()) return false;
  const Output::Room room = output_.room();
  out_ = out_start_ = room.data;
  out_end_ = room.data + room.size;
  return true;
}

bool Inflate::run() {
  bool last = false;
  while (!last) {
    if (!block(last)) return false;
  }
  if (!hand_over()) return false;
  // The rest of the last byte.
  take_bits(count_ & 7);
  unload();
  return true;
}

bool Inflate::block(bool& last) {
  if (!need(3)) return false;
  last = take_bits(1) != 0;
  switch (take_bits(2)) {
    case 0: return stored();
    case 1: return fixed_tables() && symbols();
    case 2: return dynamic_tables() && symbols();
    default: return damaged("invalid block type");
  }
}

bool Inflate::stored() {
  take_bits(count_ & 7);
  if (!need(32)) return false;
  const unsigned size = take_bits(16);
  if ((take_bits(16) ^ size) != 0xffff) return damaged("invalid stored block lengths");
  unload();
  for (unsigned left = size; left > 0;) {
    if (!load()) return !fault_.set() && fault_.malformed({"the gzip stream ends early"});
    if (!make_room()) return false;
    size_t part = left;
    if (static_cast<size_t>(in_end_ - in_) < part) part = static_cast<size_t>(in_end_ - in_);
    if (static_cast<size_t>(out_end_ - out_) < part) part = static_cast<size_t>(out_end_ - out_);
    std::memcpy(out_, in_, part);
    in_ += part;
    out_ += part;
    left -= static_cast<unsigned>(part);
    unload();
  }
  return true;
}

bool Inflate::fixed_tables() {
  uint8_t lengths[288];
  std::memset(lengths, 8, 144);
  std::memset(lengths + 144, 9, 112);
  std::memset(lengths + 256, 7, 24);
  std::memset(lengths + 280, 8, 8);
  uint8_t distances[32];
  std::memset(distances, 5, sizeof distances);
  return build_table(lengths, sizeof lengths, Alphabet::kLengths, lengths_) &&
         build_table(distances, sizeof distances, Alphabet::kDistances, distances_);
}

bool Inflate::dynamic_tables() {
  static constexpr uint8_t kOrder[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  if (!need(14)) return false;
  const size_t length_codes = take_bits(5) + 257, distance_codes = take_bits(5) + 1, code_codes = take_bits(4) + 4;
  if (length_codes > kMaxLengthCodes || distance_codes > kMaxDistanceCodes) {
    return damaged("too many length or distance symbols");
  }
  uint8_t code_lengths[19] = {};
  for (size_t i = 0; i < code_codes; i++) {
    if (!need(3)) return false;
    code_lengths[kOrder[i]] = static_cast<uint8_t>(take_bits(3));
  }
  CodeEntry codes[1U << kCodeBits];
  if (!build_table(code_lengths, sizeof code_lengths, Alphabet::kCodeLengths, codes)) {
    return damaged("invalid code lengths set");
  }
  uint8_t lengths[kMaxLengthCodes + kMaxDistanceCodes + 138];
  const size_t all = length_codes + distance_codes;
  for (size_t at = 0; at < all;) {
    CodeEntry code;
    if (!entry(codes, kCodeBits, code)) return false;
    if (code.value < 16) {
      lengths[at++] = static_cast<uint8_t>(code.value);
      continue;
    }
    const unsigned extra = code.value == 16 ? 2 : code.value == 17 ? 3 : 7;
    if (!need(extra)) return false;
    const unsigned repeat = take_bits(extra) + (code.value == 18 ? 11 : 3);
    if ((code.value == 16 && at == 0) || at + repeat > all) return damaged("invalid bit length repeat");
    std::memset(lengths + at, code.value == 16 ? lengths[at - 1] : 0, repeat);
    at += repeat;
  }
  if (lengths[256] == 0) return damaged("invalid code -- missing end-of-block");
  if (!build_table(lengths, length_codes, Alphabet::kLengths, lengths_)) return damaged("invalid literal/lengths set");
  if (!build_table(lengths + length_codes, distance_codes, Alphabet::kDistances, distances_)) {
    return damaged("invalid distances set");
  }
  return true;
}

/** One code, taking bytes only as far as it needs them: the stream may end with it. */
bool Inflate::entry(const CodeEntry* table, unsigned index_bits, CodeEntry& found) {
  for (unsigned wanted = 1;; wanted = count_ + 1) {
    if (!need(wanted)) return false;
    found = table[bits_ & ((uint64_t{1} << index_bits) - 1)];
    if (found.kind() == CodeEntry::kSecond) {
      const uint64_t rest = bits_ >> index_bits & ((uint64_t{1} << found.extra()) - 1);
      found = table[found.value + rest];
    }
    if (found.bits <= count_) break;
  }
  take_bits(found.bits);
  return found.kind() != CodeEntry::kInvalid || damaged("invalid code");
}

bool Inflate::symbols() {
  constexpr uint64_t kLengthMask = (uint64_t{1} << kLengthBits) - 1, kDistanceMask = (uint64_t{1} << kDistanceBits) - 1;
  for (;;) {
    if (in_end_ - in_ < kFastInput) load();
    uint64_t bits = bits_;
    unsigned count = count_;
    const uint8_t* in = in_;
    uint8_t* out = out_;
    auto keep = [&] {
      bits_ = bits;
      count_ = count;
      in_ = in;
      out_ = out;
    };
    auto refill = [&] {
      bits |= load64(in) << count;
      in += (63 - count) >> 3;
      count |= 56;
    };
    auto skip = [&](unsigned by) {
      bits >>= by;
      count -= by;
    };
    while (in_end_ - in >= kFastInput && out_end_ - out >= kFastOutput) {
      refill();
      CodeEntry code = lengths_[bits & kLengthMask];
      // Up to three literals of the first table fit in what was loaded, and a length after them.
      if (code.kind() == CodeEntry::kLiteral) {
        skip(code.bits);
        *out++ = static_cast<uint8_t>(code.value);
        code = lengths_[bits & kLengthMask];
        if (code.kind() == CodeEntry::kLiteral) {
          skip(code.bits);
          *out++ = static_cast<uint8_t>(code.value);
          code = lengths_[bits & kLengthMask];
          if (code.kind() == CodeEntry::kLiteral) {
            skip(code.bits);
            *out++ = static_cast<uint8_t>(code.value);
            continue;
          }
        }
      }
      if (code.kind() == CodeEntry::kSecond) {
        code = lengths_[code.value + (bits >> kLengthBits & ((uint64_t{1} << code.extra()) - 1))];
      }
      skip(code.bits);
      if (code.kind() == CodeEntry::kLiteral) {
        *out++ = static_cast<uint8_t>(code.value);
        continue;
      }
      if (code.kind() == CodeEntry::kEnd) return keep(), true;
      if (code.kind() == CodeEntry::kInvalid) return keep(), damaged("invalid literal/length code");
      const unsigned length = code.value + static_cast<unsigned>(bits & ((1U << code.extra()) - 1));
      skip(code.extra());
      refill();
      code = distances_[bits & kDistanceMask];
      if (code.kind() == CodeEntry::kSecond) {
        code = distances_[code.value + (bits >> kDistanceBits & ((uint64_t{1} << code.extra()) - 1))];
      }
      skip(code.bits);
      if (code.kind() == CodeEntry::kInvalid) return keep(), damaged("invalid distance code");
      const unsigned distance = code.value + static_cast<unsigned>(bits & ((1U << code.extra()) - 1));
      skip(code.extra());
      if (distance > size_ + static_cast<uint64_t>(out - out_start_)) {
        return keep(), damaged("invalid distance too far back");
      }
      const uint8_t* from = out - distance;
      uint8_t* const end = out + length;
      if (distance >= 8) {
        do {
          std::memcpy(out, from, 8);
          out += 8;
          from += 8;
        } while (out < end);
      } else if (distance == 1) {
        std::memset(out, *from, length);
      } else {
        do *out++ = *from++;
        while (out < end);
      }
      out = end;
    }
    keep();
    bool end = false;
    if (!symbol(end)) return false;
    if (end) return true;
  }
}

/** One symbol near the end of the input or of the chunk. */
bool Inflate::symbol(bool& end) {
  CodeEntry code;
  if (!entry(lengths_, kLengthBits, code)) return false;
  if (code.kind() == CodeEntry::kLiteral) {
    if (!make_room()) return false;
    *out_++ = static_cast<uint8_t>(code.value);
    return true;
  }
  if (code.kind() == CodeEntry::kEnd) {
    end = true;
    return true;
  }
  if (!need(code.extra())) return false;
  const unsigned length = code.value + take_bits(code.extra());
  if (!entry(distances_, kDistanceBits, code) || !need(code.extra())) return false;
  return copy(length, code.value + take_bits(code.extra()));
}

bool Inflate::copy(unsigned length, unsigned distance) {
  if (distance > size_ + static_cast<uint64_t>(out_ - out_start_)) return damaged("invalid distance too far back");
  while (length > 0) {
    if (!make_room()) return false;
    *out_ = *(out_ - distance);
    out_++;
    length--;
  }
  return true;
}

}  // namespace jubako::archive
