// Threads that take jobs from one queue of bounded length.
#pragma once

#include <pthread.h>

#include <cstddef>

namespace jubako::copy {

// Lies at the beginning of a block from malloc, which is freed when it was run.
struct Job {
  // `buffer` is the thread's own.
  void (*run)(Job* self, char* buffer);
};

constexpr size_t kBuffer = 128 * 1024;

class Pool {
 public:
  // Without threads every job runs at once, in its giver.
  explicit Pool(unsigned threads);
  void add(Job* job);
  // Until every job is done.
  void drain();

 private:
  static constexpr size_t kRoom = 1024;
  static constexpr unsigned kMaxThreads = 16;
  static void* work(void* self);
  static void finish(Job* job, char* buffer);

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t work_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t room_ = PTHREAD_COND_INITIALIZER;
  Job* queue_[kRoom] = {};
  size_t first_ = 0, count_ = 0, running_ = 0;
  unsigned threads_ = 0;
  char* buffer_ = nullptr;
};

}  // namespace jubako::copy
