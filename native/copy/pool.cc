#include "pool.h"

#include <cstdlib>

namespace jubako::copy {

Pool::Pool(unsigned threads) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  for (unsigned i = 0; i < threads && i < kMaxThreads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, work, this) == 0) threads_++;
  }
  pthread_attr_destroy(&attributes);
}

void Pool::finish(Job* job, char* buffer) {
  job->run(job, buffer);
  std::free(job);
}

void Pool::add(Job* job) {
  if (threads_ == 0) {
    if (buffer_ == nullptr) buffer_ = static_cast<char*>(std::malloc(kBuffer));
    return finish(job, buffer_);
  }
  pthread_mutex_lock(&mutex_);
  while (count_ == kRoom) pthread_cond_wait(&room_, &mutex_);
  queue_[(first_ + count_++) % kRoom] = job;
  pthread_cond_signal(&work_);
  pthread_mutex_unlock(&mutex_);
}

void Pool::drain() {
  pthread_mutex_lock(&mutex_);
  while (count_ > 0 || running_ > 0) pthread_cond_wait(&room_, &mutex_);
  pthread_mutex_unlock(&mutex_);
}

void* Pool::work(void* self) {
  Pool& pool = *static_cast<Pool*>(self);
  char* buffer = static_cast<char*>(std::malloc(kBuffer));
  if (buffer == nullptr) std::abort();
  pthread_mutex_lock(&pool.mutex_);
  for (;;) {
    while (pool.count_ == 0) pthread_cond_wait(&pool.work_, &pool.mutex_);
    Job* job = pool.queue_[pool.first_];
    pool.first_ = (pool.first_ + 1) % kRoom;
    pool.count_--;
    pool.running_++;
    pthread_cond_broadcast(&pool.room_);
    pthread_mutex_unlock(&pool.mutex_);
    finish(job, buffer);
    pthread_mutex_lock(&pool.mutex_);
    pool.running_--;
    pthread_cond_broadcast(&pool.room_);
  }
  return nullptr;
}

}  // namespace jubako::copy
