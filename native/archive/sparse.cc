#include "sparse.h"

namespace jubako::archive {

namespace {

// Layout of GNU tar's "oldgnu_header" and "sparse_header" (tar(5), "GNU tar Archives").
constexpr size_t kNumberSize = 12;
constexpr size_t kHeaderMap = 386, kHeaderRuns = 4, kHeaderExtended = 482, kHeaderRealSize = 483;
constexpr size_t kBlockRuns = 21, kBlockExtended = 504;

std::string_view number_at(const uint8_t* block, size_t offset) {
  return {reinterpret_cast<const char*>(block) + offset, kNumberSize};
}

bool runs(const uint8_t* block, size_t at, size_t count, Entry& entry, Fault& fault) {
  for (size_t index = 0; index < count; index++, at += 2 * kNumberSize) {
    if (block[at] == 0) return true;
    Extent extent{};
    if (!parse_number(number_at(block, at), extent.offset) ||
        !parse_number(number_at(block, at + kNumberSize), extent.size)) {
      return fault.malformed({"invalid map of a sparse file"});
    }
    if (entry.extents.size() == kMaxExtents) return fault.limit({"a sparse file has too many runs of data"});
    entry.extents.push(extent);
  }
  return true;
}

}  // namespace

bool gnu_sparse_header(const uint8_t* block, Entry& entry, bool& more, Fault& fault) {
  entry.sparse = true;
  entry.extents.clear();
  if (!parse_number(number_at(block, kHeaderRealSize), entry.logical_size)) {
    return fault.malformed({"invalid size of a sparse file"});
  }
  more = block[kHeaderExtended] != 0;
  return runs(block, kHeaderMap, kHeaderRuns, entry, fault);
}

bool gnu_sparse_extension(const uint8_t* block, Entry& entry, bool& more, Fault& fault) {
  more = block[kBlockExtended] != 0;
  return runs(block, 0, kBlockRuns, entry, fault);
}

SparseMapReader::State SparseMapReader::block(const uint8_t* block, Entry& entry, Fault& fault) {
  for (size_t index = 0; index < kBlock; index++) {
    const uint8_t byte = block[index];
    if (byte >= '0' && byte <= '9' && digits_ < 19) {
      value_ = value_ * 10 + (byte - '0');
      digits_++;
      continue;
    }
    if (byte != '\n' || digits_ == 0 || !number(value_, entry)) {
      fault.malformed({"invalid map of a sparse file"});
      return State::kFailed;
    }
    value_ = 0;
    digits_ = 0;
    if (counted_ && left_ == 0) return State::kDone;
  }
  return State::kMore;
}

bool SparseMapReader::number(uint64_t value, Entry& entry) {
  if (!counted_) {
    counted_ = true;
    left_ = value * 2;
    return value <= kMaxExtents;
  }
  left_--;
  if (has_offset_) entry.extents.push({offset_, value});
  offset_ = value;
  has_offset_ = !has_offset_;
  return true;
}

bool check_sparse(const Entry& entry, Fault& fault) {
  uint64_t end = 0;
  uint64_t total = 0;
  for (const Extent& extent : entry.extents) {
    if (extent.offset < end || extent.size > entry.logical_size || extent.offset > entry.logical_size - extent.size) {
      return fault.malformed({"the runs of a sparse file overlap or lie outside of it"});
    }
    end = extent.offset + extent.size;
    total += extent.size;
  }
  if (total != entry.numbers.size) return fault.malformed({"the map of a sparse file does not match its data"});
  return true;
}

}  // namespace jubako::archive
