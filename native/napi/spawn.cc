#include "spawn.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <string>
#include <vector>

#include "../spawn/start.h"
#include "../sys/fd.h"
#include "../sys/files.h"
#include "../sys/linux.h"
#include "task.h"

namespace jubako::napi {

namespace {

int plan_memory(const std::vector<uint8_t>& plan, Failure& f) {
  Fd fd(memfd_create("plan", MFD_CLOEXEC));
  if (!fd) return fail(f, errno, "memfd_create"), -1;
  size_t at = 0;
  while (at < plan.size()) {
    ssize_t n = write(fd.get(), plan.data() + at, plan.size() - at);
    if (n <= 0) return fail(f, errno, "write", "plan"), -1;
    at += static_cast<size_t>(n);
  }
  return fd.release();
}

struct Outcome {
  StartedInit init;
  int control = -1;
};

// startInit(image: number, role: string, title: string, plan: Uint8Array, fds: number[])
//   -> Promise<{ pid, pidfd, control }>
Napi::Value start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int image = info[0].As<Napi::Number>().Int32Value();
  std::string role = info[1].As<Napi::String>();
  std::string title = info[2].As<Napi::String>();
  auto view = info[3].As<Napi::Uint8Array>();
  std::vector<uint8_t> plan(view.Data(), view.Data() + view.ByteLength());
  auto list = info[4].As<Napi::Array>();
  std::vector<int> fds;
  for (uint32_t i = 0; i < list.Length(); i++) fds.push_back(list.Get(i).As<Napi::Number>().Int32Value());
  auto outcome = std::make_shared<Outcome>();
  return submit(
      env,
      [=](Failure& f) {
        Fd memory(plan_memory(plan, f));
        if (!memory) return;
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
          fail(f, errno, "socketpair");
          return;
        }
        Fd ours(pair[0]), theirs(pair[1]);
        StartRequest request = {image, role.c_str(), title.c_str(), memory.get(), theirs.get(), fds.data(), fds.size()};
        if (start_init(request, outcome->init, f)) outcome->control = ours.release();
      },
      [=](Napi::Env e) -> Napi::Value {
        Napi::Object object = Napi::Object::New(e);
        object.Set("pid", outcome->init.pid);
        object.Set("pidfd", outcome->init.pidfd);
        object.Set("control", outcome->control);
        return object;
      });
}

// reapInit(pidfd: number) -> Promise<number>: waits for the process, closes the pidfd, gives its wait status
// (exit code, or minus the signal that killed it).
Napi::Value reap(const Napi::CallbackInfo& info) {
  int pidfd = info[0].As<Napi::Number>().Int32Value();
  auto status = std::make_shared<int>(0);
  return submit(
      info.Env(),
      [=](Failure& f) {
        siginfo_t result = {};
        int r;
        do r = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &result, WEXITED | __WALL);
        while (r < 0 && errno == EINTR);
        if (r < 0) fail(f, errno, "waitid");
        *status = result.si_code == CLD_EXITED ? result.si_status : -result.si_status;
        close(pidfd);
      },
      [=](Napi::Env e) -> Napi::Value { return Napi::Number::New(e, *status); });
}

// sealInit(source: string, directory: string | null) -> number: descriptor for startInit.
Napi::Value seal(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string source = info[0].As<Napi::String>();
  std::string directory = info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
  Failure failure;
  int fd = seal_image(source.c_str(), directory.empty() ? nullptr : directory.c_str(), failure);
  if (fd < 0) {
    napi_throw(env, failure_object(env, failure));
    return env.Undefined();
  }
  return Napi::Number::New(env, fd);
}

// killInit(pidfd: number): SIGKILL
Napi::Value kill_init(const Napi::CallbackInfo& info) {
  sys::pidfd_send_signal(info[0].As<Napi::Number>().Int32Value(), SIGKILL);
  return info.Env().Undefined();
}

// isLocked(path: string) -> boolean
Napi::Value is_locked(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  Fd fd(sys::open_file(path.c_str(), O_RDONLY | O_NOFOLLOW));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  bool held = fd && fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  return Napi::Boolean::New(info.Env(), held);
}

// openPipe() -> [number, number]
Napi::Value open_pipe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) {
    Failure failure;
    fail(failure, errno, "pipe2");
    napi_throw(env, failure_object(env, failure));
    return env.Undefined();
  }
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, ends[0]);
  pair.Set(1u, ends[1]);
  return pair;
}

Napi::Value close_fd(const Napi::CallbackInfo& info) {
  close(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

}  // namespace

void export_spawn(Napi::Env env, Napi::Object exports) {
  exports.Set("startInit", Napi::Function::New(env, start, "startInit"));
  exports.Set("reapInit", Napi::Function::New(env, reap, "reapInit"));
  exports.Set("killInit", Napi::Function::New(env, kill_init, "killInit"));
  exports.Set("isLocked", Napi::Function::New(env, is_locked, "isLocked"));
  exports.Set("openPipe", Napi::Function::New(env, open_pipe, "openPipe"));
  exports.Set("closeFd", Napi::Function::New(env, close_fd, "closeFd"));
  exports.Set("sealInit", Napi::Function::New(env, seal, "sealInit"));
}

}  // namespace jubako::napi
