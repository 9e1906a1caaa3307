// Work off the event loop: one thread of the addon's own, so that spawns never queue behind the application's file
// and DNS requests in libuv's pool.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>

#include "../sys/failure.h"

namespace jubako::napi {

// A job runs on the thread; `done` then runs on the event loop and settles the promise.
struct Task {
  virtual ~Task() = default;
  virtual void run() = 0;
  virtual Napi::Value result(Napi::Env env) = 0;
  Failure failure;
};

// Queues `task`; the promise rejects with an object of `failure`'s fields if it failed.
Napi::Value submit(Napi::Env env, std::unique_ptr<Task> task);

// Task from two lambdas.
template <typename Run, typename Result>
class LambdaTask : public Task {
 public:
  LambdaTask(Run run, Result result) : run_(std::move(run)), result_(std::move(result)) {}
  void run() override { run_(failure); }
  Napi::Value result(Napi::Env env) override { return result_(env); }

 private:
  Run run_;
  Result result_;
};

template <typename Run, typename Result>
Napi::Value submit(Napi::Env env, Run run, Result result) {
  return submit(env, std::make_unique<LambdaTask<Run, Result>>(std::move(run), std::move(result)));
}

// The plain error that src/native turns into a JubakoError: {errno, op, syscall, path, detail}.
Napi::Object failure_object(Napi::Env env, const Failure& failure);

}  // namespace jubako::napi
