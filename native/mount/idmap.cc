#include "idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "../sys/fd.h"
#include "../sys/files.h"

namespace jubako {

namespace {

struct Holder {
  pid_t pid = -1;
  ~Holder() {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
};

// The caller may be in another pid namespace than the mounted /proc, so the process tells its number itself.
[[noreturn]] void hold_namespace(int pipe) {
  char name[32];
  ssize_t size = -1;
  if (unshare(CLONE_NEWUSER) == 0) size = sys::read_link("/proc/self", name, sizeof name);
  if (size > 0 && write(pipe, name, static_cast<size_t>(size)) == size) {
    for (;;) pause();
  }
  _exit(1);
}

bool write_map(const char* process, const char* file, const char* text, Failure& f) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/%s", process, file);
  Fd fd(sys::open_file(path, O_WRONLY));
  if (!fd) return fail(f, errno, "open", path);
  const size_t size = strlen(text);
  return write(fd.get(), text, size) == static_cast<ssize_t>(size) || fail(f, errno, "write", path);
}

}  // namespace

int make_id_map(const char* uids, const char* gids, Failure& f) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail(f, errno, "pipe2"), -1;
  Fd from(ends[0]), to(ends[1]);
  Holder holder;
  holder.pid = fork();
  if (holder.pid < 0) return fail(f, errno, "fork"), -1;
  if (holder.pid == 0) hold_namespace(to.get());
  to.reset();
  char process[32] = {};
  if (read(from.get(), process, sizeof process - 1) <= 0) return fail(f, EPERM, "unshare", "user namespace"), -1;
  if (!write_map(process, "uid_map", uids, f) || !write_map(process, "gid_map", gids, f)) return -1;
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/ns/user", process);
  int fd = sys::open_file(path, O_RDONLY);
  if (fd < 0) fail(f, errno, "open", path);
  return fd;
}

}  // namespace jubako
