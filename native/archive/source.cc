#include "source.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace jubako::archive {

bool Source::open() {
  buffer_ = static_cast<uint8_t*>(std::malloc(kBufferSize));
  return buffer_ != nullptr;
}

Span Source::peek(size_t wanted, Fault& fault) {
  if (end_ - start_ < wanted && start_ > 0) {
    std::memmove(buffer_, buffer_ + start_, end_ - start_);
    end_ -= start_;
    start_ = 0;
  }
  while (end_ - start_ < wanted && !ended_) {
    const ssize_t count = read(fd_, buffer_ + end_, kBufferSize - end_);
    if (count > 0) {
      end_ += static_cast<size_t>(count);
      total_.fetch_add(static_cast<uint64_t>(count), std::memory_order_relaxed);
    } else if (count == 0) {
      ended_ = growth_ == nullptr || !growth_->more(bytes_read());
    } else if (errno == EAGAIN) {
      pollfd waiting{fd_, POLLIN, 0};
      poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      fault.system("read", errno, {"the compressed layer cannot be read"});
      ended_ = true;
    }
  }
  return {buffer_ + start_, end_ - start_};
}

}  // namespace jubako::archive
