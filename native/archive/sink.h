#pragma once

#include <cstring>

#include "ring.h"

namespace jubako::archive {

/** The producer's side of a ring: bytes one after the other, cut into the ring's chunks. */
class Sink {
 public:
  explicit Sink(Ring& ring) : ring_(ring) {}

  /** Room for bytes, at least one. */
  struct Room {
    uint8_t* data;
    size_t size;
  };
  Room room() {
    if (chunk_ == nullptr) {
      chunk_ = ring_.acquire();
      used_ = 0;
    }
    return {chunk_ + used_, Ring::kChunkSize - used_};
  }
  /** `size` bytes of the room were filled. */
  void commit(size_t size) {
    used_ += size;
    total_ += size;
    if (used_ == Ring::kChunkSize) flush();
  }

  void append(const void* data, size_t size) {
    fill(size, [&](uint8_t* to, size_t part) {
      std::memcpy(to, data, part);
      data = static_cast<const uint8_t*>(data) + part;
    });
  }
  void zeros(uint64_t size) {
    fill(size, [](uint8_t* to, size_t part) { std::memset(to, 0, part); });
  }

  /** Nothing follows. */
  void finish() {
    flush();
    ring_.finish();
  }

  uint64_t total() const { return total_; }

 private:
  template <typename Fill>
  void fill(uint64_t size, Fill fill_part) {
    while (size > 0) {
      const Room space = room();
      const size_t part = size < space.size ? static_cast<size_t>(size) : space.size;
      fill_part(space.data, part);
      commit(part);
      size -= part;
    }
  }
  void flush() {
    if (chunk_ != nullptr && used_ > 0) ring_.publish(used_);
    chunk_ = nullptr;
  }

  Ring& ring_;
  uint8_t* chunk_ = nullptr;
  size_t used_ = 0;
  uint64_t total_ = 0;
};

}  // namespace jubako::archive
