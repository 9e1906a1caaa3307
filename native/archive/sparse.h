#pragma once

#include "entry.h"
#include "pax.h"

namespace jubako::archive {

/** Map of the old GNU format in the header itself and in each extension block; true in `more` if a block follows. */
bool gnu_sparse_header(const uint8_t* block, Entry& entry, bool& more, Fault& fault);
bool gnu_sparse_extension(const uint8_t* block, Entry& entry, bool& more, Fault& fault);

/** Reads the map of format 1.0, decimal numbers one a line, from consecutive blocks in front of the data. */
class SparseMapReader {
 public:
  enum class State { kMore, kDone, kFailed };
  State block(const uint8_t* block, Entry& entry, Fault& fault);

 private:
  bool number(uint64_t value, Entry& entry);
  uint64_t value_ = 0;
  size_t digits_ = 0;
  uint64_t left_ = 0;
  bool counted_ = false;
  bool has_offset_ = false;
  uint64_t offset_ = 0;
};

/** True if the runs are in order, within the file, do not overlap and together are the bytes that follow. */
bool check_sparse(const Entry& entry, Fault& fault);

}  // namespace jubako::archive
