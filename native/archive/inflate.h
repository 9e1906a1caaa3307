#pragma once

#include "decode.h"
#include "inflate_tables.h"

namespace jubako::archive {

/**
 * Decodes one deflate stream (RFC 1951) straight into the ring: what was decoded before stays in front of the bytes
 * being written, so that no window is copied.
 */
class Inflate {
 public:
  Inflate(Source& source, Output& output, Fault& fault) : source_(source), output_(output), fault_(fault) {}

  /** To the end of the stream; the source stands behind its last byte then. False with the fault set. */
  bool run();
  /** Of the decoded bytes: CRC-32 (RFC 1952, 8) and number. */
  uint32_t checksum() const { return checksum_; }
  uint64_t size() const { return size_; }

 private:
  bool block(bool& last);
  bool stored();
  bool fixed_tables();
  bool dynamic_tables();
  bool symbols();
  bool symbol(bool& end);
  bool copy(unsigned length, unsigned distance);

  bool load();
  void unload();
  bool need(unsigned count);
  unsigned take_bits(unsigned count);
  bool entry(const CodeEntry* table, unsigned index_bits, CodeEntry& found);

  bool make_room();
  bool hand_over();
  bool damaged(std::string_view why) { return fault_.malformed({"the gzip stream is damaged: ", why}); }

  Source& source_;
  Output& output_;
  Fault& fault_;

  // Bits that were taken out of the input, the next one lowest.
  uint64_t bits_ = 0;
  unsigned count_ = 0;
  const uint8_t* in_ = nullptr;
  const uint8_t* in_start_ = nullptr;
  const uint8_t* in_end_ = nullptr;
  // Room in the current chunk.
  uint8_t* out_ = nullptr;
  uint8_t* out_start_ = nullptr;
  uint8_t* out_end_ = nullptr;

  uint32_t checksum_ = 0;
  uint64_t size_ = 0;
  CodeEntry lengths_[kLengthEntries];
  CodeEntry distances_[kDistanceEntries];
};

}  // namespace jubako::archive
