#include "cgroups.h"

#include <csignal>

namespace jubako::napi {

namespace {

// killFrozen(pid: number) -> errno. SIGKILL; for a pid read from a frozen cgroup only, which cannot have been given to
// another process since.
Napi::Value kill_frozen(const Napi::CallbackInfo& info) {
  pid_t pid = info[0].As<Napi::Number>().Int32Value();
  // 0 and -1 mean groups: cgroup.procs shows 0 for a process of another pid namespace.
  if (pid <= 0) return Napi::Number::New(info.Env(), ESRCH);
  return Napi::Number::New(info.Env(), kill(pid, SIGKILL) < 0 ? errno : 0);
}

}  // namespace

void export_cgroups(Napi::Env env, Napi::Object exports) {
  exports.Set("killFrozen", Napi::Function::New(env, kill_frozen));
}

}  // namespace jubako::napi
