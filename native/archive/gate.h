#pragma once

#include <pthread.h>

namespace jubako::archive {

/** Threads wait at it until the process is confined: afterwards none can be made. */
class Gate {
 public:
  void open() {
    pthread_mutex_lock(&mutex_);
    open_ = true;
    pthread_cond_broadcast(&opened_);
    pthread_mutex_unlock(&mutex_);
  }
  void pass() {
    pthread_mutex_lock(&mutex_);
    while (!open_) pthread_cond_wait(&opened_, &mutex_);
    pthread_mutex_unlock(&mutex_);
  }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t opened_ = PTHREAD_COND_INITIALIZER;
  bool open_ = false;
};

}  // namespace jubako::archive
