#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fault.h"
#include "ring.h"

namespace jubako::archive {

/** Tells of a file that somebody is still writing. */
class Growth {
 public:
  /** Waits until the file has more than `have` bytes; false when it is complete, or nobody writes any more. */
  virtual bool more(uint64_t have) = 0;

 protected:
  ~Growth() = default;
};

/** Buffered reads of a descriptor of any kind: a file, or a pipe that a download still fills. */
class Source {
 public:
  static constexpr size_t kBufferSize = size_t{256} << 10;

  /** `expected` is the size of the whole input when it is known, else 0. `growth`: of a file that is still written. */
  Source(int fd, uint64_t expected, Growth* growth) : fd_(fd), expected_(expected), growth_(growth) {}

  /** Allocates the buffer. */
  bool open();

  /** Unread bytes; reads more when there are fewer than `wanted`. Shorter only at the end or after a failure. */
  Span peek(size_t wanted, Fault& fault);
  void consume(size_t size) { start_ += size; }

  /** Bytes read from the descriptor so far; may be asked from any thread. */
  uint64_t bytes_read() const { return total_.load(std::memory_order_relaxed); }
  /** What a limit on the ratio may count on. */
  uint64_t bytes_for_ratio() const { return bytes_read() > expected_ ? bytes_read() : expected_; }

 private:
  int fd_;
  uint64_t expected_;
  Growth* growth_;
  uint8_t* buffer_ = nullptr;
  size_t start_ = 0;
  size_t end_ = 0;
  bool ended_ = false;
  std::atomic<uint64_t> total_{0};
};

}  // namespace jubako::archive
