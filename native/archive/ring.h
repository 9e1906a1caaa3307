#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>

namespace jubako::archive {

/** A run of bytes. */
struct Span {
  const uint8_t* data = nullptr;
  size_t size = 0;
};

/**
 * Bounded queue of large buffers from one producer thread to a few consumer threads, each of which sees every byte.
 * Every chunk but the last is full, so a consumer that takes 512-byte blocks never meets one that straddles two chunks.
 */
class Ring {
 public:
  static constexpr size_t kChunkSize = size_t{512} << 10;
  static constexpr size_t kChunks = 8;
  /** Bytes in front of an acquired buffer that are the end of the one before, as long as there is one. */
  static constexpr size_t kHistory = size_t{64} << 10;
  static constexpr int kMaxConsumers = 4;

  /** Maps the memory. False when it cannot be had. */
  bool open(int consumers);

  /** Producer: the next buffer of `kChunkSize` bytes, waiting for room. */
  uint8_t* acquire();
  /** Producer: hands over the first `size` bytes of the acquired buffer. Less than full only before `finish`. */
  void publish(size_t size);
  /** Producer: nothing follows. */
  void finish();

  /** Consumer: gives back the chunk it holds and waits for the next; empty at the end. */
  Span next(int consumer);

  /** Any thread: the producer has called `finish`. */
  bool finished();

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t room_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t data_ = PTHREAD_COND_INITIALIZER;
  uint8_t* memory_ = nullptr;
  size_t sizes_[kChunks] = {};
  uint64_t produced_ = 0;
  // Chunks a consumer is done with; it holds number `released_` while `holding_`.
  uint64_t released_[kMaxConsumers] = {};
  bool holding_[kMaxConsumers] = {};
  int consumers_ = 0;
  bool finished_ = false;
};

}  // namespace jubako::archive
