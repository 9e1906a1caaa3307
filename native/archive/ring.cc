#include "ring.h"

#include <sys/mman.h>

#include <cstring>

namespace jubako::archive {

namespace {

class Locked {
 public:
  explicit Locked(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
  ~Locked() { pthread_mutex_unlock(&mutex_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  pthread_mutex_t& mutex_;
};

}  // namespace

bool Ring::open(int consumers) {
  consumers_ = consumers;
  void* memory = mmap(nullptr, kHistory + kChunkSize * kChunks, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  memory_ = static_cast<uint8_t*>(memory) + kHistory;
  return true;
}

uint8_t* Ring::acquire() {
  Locked lock(mutex_);
  auto oldest = [this] {
    uint64_t least = released_[0];
    for (int i = 1; i < consumers_; i++) {
      if (released_[i] < least) least = released_[i];
    }
    return least;
  };
  while (produced_ - oldest() == kChunks) pthread_cond_wait(&room_, &mutex_);
  const uint64_t chunk = produced_ % kChunks;
  if (chunk == 0 && produced_ > 0) memcpy(memory_ - kHistory, memory_ + kChunks * kChunkSize - kHistory, kHistory);
  return memory_ + chunk * kChunkSize;
}

void Ring::publish(size_t size) {
  Locked lock(mutex_);
  sizes_[produced_ % kChunks] = size;
  produced_++;
  pthread_cond_broadcast(&data_);
}

void Ring::finish() {
  Locked lock(mutex_);
  finished_ = true;
  pthread_cond_broadcast(&data_);
}

Span Ring::next(int consumer) {
  Locked lock(mutex_);
  if (holding_[consumer]) {
    released_[consumer]++;
    holding_[consumer] = false;
    pthread_cond_signal(&room_);
  }
  while (!finished_ && released_[consumer] == produced_) pthread_cond_wait(&data_, &mutex_);
  if (released_[consumer] == produced_) return {};
  holding_[consumer] = true;
  const uint64_t chunk = released_[consumer] % kChunks;
  return {memory_ + chunk * kChunkSize, sizes_[chunk]};
}

bool Ring::finished() {
  Locked lock(mutex_);
  return finished_;
}

}  // namespace jubako::archive
