#pragma once

#include "fault.h"

namespace jubako::archive {

constexpr size_t kBlock = 512;

/** Numbers of an entry that pax records may replace. */
struct Numbers {
  uint64_t size = 0;
  uint64_t uid = 0;
  uint64_t gid = 0;
  int64_t mtime = 0;
  uint32_t mtime_ns = 0;
};

/** One 512-byte header as it stands in the archive. */
struct TarHeader {
  char type = 0;
  /** GNU magic: the prefix field holds times and the sparse map, not a part of the name. */
  bool gnu = false;
  uint32_t mode = 0;
  uint64_t major = 0;
  uint64_t minor = 0;
  Numbers numbers;
  Text name;
  Text link;
};

/** True when all 512 bytes are NUL: the end-of-archive mark is two such blocks. */
bool is_zero_block(const uint8_t* block);

/**
 * Reads a header in the v7, ustar, pax or GNU format (tar(5)). Numbers are octal or, as GNU and star write them,
 * base-256; negative sizes, ids and device numbers are refused.
 */
bool parse_header(const uint8_t* block, TarHeader& header, Fault& fault);

/** An octal or base-256 number field. False when it is neither, negative or beyond 63 bits. */
bool parse_number(std::string_view field, uint64_t& value);

/** Decimal digits only. */
bool parse_decimal(std::string_view text, uint64_t& value);

/** Seconds with an optional sign and fraction; digits beyond nanoseconds are dropped (pax, pax(1) "mtime"). */
bool parse_time(std::string_view text, int64_t& seconds, uint32_t& nanoseconds);

}  // namespace jubako::archive
