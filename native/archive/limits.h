#pragma once

#include <cstdint>

namespace jubako::archive {

/** What one archive may cost. Every value is decided by the caller. */
struct Limits {
  /** Bytes of the tar stream, and bytes of all files together with their holes. */
  uint64_t max_bytes;
  /** Headers of every kind and directories made without one. */
  uint64_t max_entries;
  /** Bytes may reach this multiple of the compressed bytes read so far ... */
  uint64_t max_ratio;
  /** ... and anything up to here is allowed whatever the ratio. */
  uint64_t ratio_floor;

  /** True when `bytes` are too many for `compressed` bytes of input. */
  bool ratio_exceeded(uint64_t bytes, uint64_t compressed) const {
    return bytes > ratio_floor && bytes / max_ratio > compressed;
  }
};

}  // namespace jubako::archive
