#include "spawn.h"

#include <signal.h>
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

Napi::Value two_descriptors(Napi::Env env, const int ends[2], const Failure& failure) {
  if (failure.failed()) {
    napi_throw(env, failure_object(env, failure));
    return env.Undefined();
  }
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, ends[0]);
  pair.Set(1u, ends[1]);
  return pair;
}

// controlPair() -> [number, number]: two ends of a stream socket. The second is for startInit.
Napi::Value control_pair(const Napi::CallbackInfo& info) {
  int ends[2];
  Failure failure;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) fail(failure, errno, "socketpair");
  return two_descriptors(info.Env(), ends, failure);
}

// startInit(image: number, role: string, title: string, control: number, fds: number[]) -> Promise<{ pid, pidfd }>
// `control` is closed here afterwards.
Napi::Value start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int image = info[0].As<Napi::Number>().Int32Value();
  std::string role = info[1].As<Napi::String>();
  std::string title = info[2].As<Napi::String>();
  int control = info[3].As<Napi::Number>().Int32Value();
  auto list = info[4].As<Napi::Array>();
  std::vector<int> fds;
  for (uint32_t i = 0; i < list.Length(); i++) fds.push_back(list.Get(i).As<Napi::Number>().Int32Value());
  auto started = std::make_shared<StartedInit>();
  return submit(
      env,
      [=](Failure& f) {
        Fd theirs(control);
        StartRequest request = {image, role.c_str(), title.c_str(), theirs.get(), fds.data(), fds.size()};
        start_init(request, *started, f);
      },
      [=](Napi::Env e) -> Napi::Value {
        Napi::Object object = Napi::Object::New(e);
        object.Set("pid", started->pid);
        object.Set("pidfd", started->pidfd);
        return object;
      });
}

// passDescriptors(socket: number, data: Buffer, fds: number[]) -> number: bytes sent, at least one, with the
// descriptors.
Napi::Value pass_descriptors(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto bytes = info[1].As<Napi::Uint8Array>();
  auto list = info[2].As<Napi::Array>();
  constexpr uint32_t kMost = 8;
  uint32_t count = list.Length() < kMost ? list.Length() : kMost;
  alignas(struct cmsghdr) char control[CMSG_SPACE(kMost * sizeof(int))] = {};
  struct iovec data = {bytes.Data(), bytes.ByteLength()};
  struct msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  struct cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(count * sizeof(int));
  auto* fds = reinterpret_cast<int*>(CMSG_DATA(rights));
  for (uint32_t i = 0; i < count; i++) fds[i] = list.Get(i).As<Napi::Number>().Int32Value();
  ssize_t n = sendmsg(info[0].As<Napi::Number>().Int32Value(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) return Napi::Number::New(env, static_cast<double>(n));
  Failure failure;
  fail(failure, errno, "sendmsg");
  napi_throw(env, failure_object(env, failure));
  return env.Undefined();
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

// lockRun(path: string) -> number: the lock a container's supervisor takes, -1 when somebody holds it; else a
// descriptor.
Napi::Value lock_run(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  Fd fd(sys::open_file(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  bool held = fd && fcntl(fd.get(), F_OFD_SETLK, &lock) == 0;
  return Napi::Number::New(info.Env(), held ? fd.release() : -1);
}

// openPipe() -> [number, number]
Napi::Value open_pipe(const Napi::CallbackInfo& info) {
  int ends[2];
  Failure failure;
  if (pipe2(ends, O_CLOEXEC) < 0) fail(failure, errno, "pipe2");
  return two_descriptors(info.Env(), ends, failure);
}

Napi::Value close_fd(const Napi::CallbackInfo& info) {
  close(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

}  // namespace

void export_spawn(Napi::Env env, Napi::Object exports) {
  exports.Set("controlPair", Napi::Function::New(env, control_pair, "controlPair"));
  exports.Set("startInit", Napi::Function::New(env, start, "startInit"));
  exports.Set("passDescriptors", Napi::Function::New(env, pass_descriptors, "passDescriptors"));
  exports.Set("reapInit", Napi::Function::New(env, reap, "reapInit"));
  exports.Set("killInit", Napi::Function::New(env, kill_init, "killInit"));
  exports.Set("isLocked", Napi::Function::New(env, is_locked, "isLocked"));
  exports.Set("lockRun", Napi::Function::New(env, lock_run, "lockRun"));
  exports.Set("openPipe", Napi::Function::New(env, open_pipe, "openPipe"));
  exports.Set("closeFd", Napi::Function::New(env, close_fd, "closeFd"));
  exports.Set("sealInit", Napi::Function::New(env, seal, "sealInit"));
}

}  // namespace jubako::napi
