#include "task.h"

#include <pthread.h>
#include <csignal>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace jubako::napi {

namespace {

struct Pending {
  Pending(Napi::Env env, std::unique_ptr<Task> t) : task(std::move(t)), deferred(Napi::Promise::Deferred::New(env)) {}
  std::unique_ptr<Task> task;
  Napi::Promise::Deferred deferred;
};

// One per environment (main thread or worker thread); ends with it.
class Thread {
 public:
  explicit Thread(Napi::Env env)
      : settle_(Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "jubako",
                                              0, 1)) {
    settle_.Unref(env);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    thread_ = std::thread([this] { loop(); });
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
  }

  // Runs as an environment cleanup hook: the thread-safe function is still valid then, and never afterwards.
  void stop() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
    settle_.Abort();
  }

  Napi::Value submit(Napi::Env env, std::unique_ptr<Task> task) {
    auto* pending = new Pending(env, std::move(task));
    Napi::Value promise = pending->deferred.Promise();
    if (open_++ == 0) settle_.Ref(env);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(pending);
    }
    wake_.notify_one();
    return promise;
  }

 private:
  void loop() {
    for (;;) {
      Pending* pending;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        if (stop_) return;
        pending = queue_.front();
        queue_.pop_front();
      }
      pending->task->run();
      settle_.NonBlockingCall(pending, [this](Napi::Env env, Napi::Function, Pending* done) { settled(env, done); });
    }
  }

  void settled(Napi::Env env, Pending* done) {
    std::unique_ptr<Pending> owner(done);
    if (--open_ == 0) settle_.Unref(env);
    Napi::HandleScope scope(env);
    if (done->task->failure.failed())
      done->deferred.Reject(failure_object(env, done->task->failure));
    else
      done->deferred.Resolve(done->task->result(env));
  }

  Napi::ThreadSafeFunction settle_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending*> queue_;
  bool stop_ = false;
  int open_ = 0;  // event loop's thread only
};

}  // namespace

Napi::Value submit(Napi::Env env, std::unique_ptr<Task> task) {
  auto* thread = env.GetInstanceData<Thread>();
  if (!thread) {
    thread = new Thread(env);
    env.SetInstanceData(thread);
    env.AddCleanupHook([](Thread* it) { it->stop(); }, thread);
  }
  return thread->submit(env, std::move(task));
}

Napi::Object failure_object(Napi::Env env, const Failure& failure) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("errno", failure.errnum);
  object.Set("op", failure.op);
  object.Set("syscall", failure.syscall);
  object.Set("path", failure.path);
  object.Set("detail", failure.detail);
  return object;
}

}  // namespace jubako::napi
