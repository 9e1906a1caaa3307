#pragma once

#include "decode.h"
#include "list.h"
#include "ring.h"

namespace jubako::archive {

/**
 * Compresses a stream chunk by chunk, each to a whole gzip member (RFC 1952, 2.2) or zstd frame (RFC 8878, 3.1): so
 * chunks can be compressed side by side, and the bytes do not depend on how many threads do it.
 */
class Compressor {
 public:
  Compressor() = default;
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  ~Compressor();

  /** False when there is no memory. `level` is the format's own. */
  bool open(Compression format, int level);
  /** The compressed chunk, valid until the next call; empty when it failed. */
  Span compress(Span chunk);

 private:
  Compression format_ = Compression::kNone;
  void* state_ = nullptr;
  uint8_t* output_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace jubako::archive
