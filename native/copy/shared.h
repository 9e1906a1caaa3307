// What a walk and the jobs that it gives away share.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <string_view>

#include "../archive/fault.h"
#include "request.h"

namespace jubako::copy {

// Faults of jobs are kept under a lock; the walk looks at the flag.
class Shared {
 public:
  Shared(const Request& request, archive::Fault& fault) : latest(request.latest), fault_(fault) {}
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  void system(const char* call, int error, std::string_view entry) {
    pthread_mutex_lock(&mutex_);
    if (!failed_.exchange(true)) {
      fault_.at(entry);
      fault_.system(call, error);
    }
    pthread_mutex_unlock(&mutex_);
  }

  const uint64_t latest;

 private:
  archive::Fault& fault_;
  std::atomic<bool> failed_{false};
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

}  // namespace jubako::copy
