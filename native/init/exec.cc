#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../spawn/start.h"
#include "../sys/files.h"
#include "../sys/linux.h"
#include "roles.h"
#include "supervisor.h"

namespace jubako {

namespace {

// The last of the passed descriptors is the container's pidfd, which the child's join-namespace step uses.
constexpr int kContainerFd = kFirstFd + static_cast<int>(kMaxFds) - 1;
// What crosses an execve between two execs: the pidfd, and in the environment the socket of the container it is of.
constexpr char kContainerName[] = "container";

bool connect_to(const char* path, Fd& socket, Failure& f) {
  char folder[4096];
  const char* slash = strrchr(path, '/');
  if (!slash) return fail(f, EINVAL, "connect", path);
  snprintf(folder, sizeof folder, "%.*s", static_cast<int>(slash - path), path);
  Fd directory(sys::open_at2(AT_FDCWD, folder, O_PATH | O_DIRECTORY, 0));
  if (!directory) return fail(f, errno, "openat2", folder);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory.get(), slash + 1);
  socket.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(f, errno, "socket", path);
  if (connect(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) < 0)
    return fail(f, errno, "connect", path);
  return true;
}

// The supervisor's own pidfd of the container's first process: no pid is looked up, so none can be mistaken.
bool receive_pidfd(int socket, Fd& pidfd, Failure& f) {
  protocol::Header request = {protocol::kGetPidfd, 0};
  if (send(socket, &request, sizeof request, MSG_NOSIGNAL) != sizeof request) return fail(f, errno, "send");
  protocol::Header header = {};
  struct iovec data = {&header, sizeof header};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  struct msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  struct cmsghdr* rights = n == sizeof header ? CMSG_FIRSTHDR(&message) : nullptr;
  if (!rights || rights->cmsg_type != SCM_RIGHTS) return fail(f, ESRCH, "recvmsg", "the container has ended");
  int fd;
  memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  pidfd.reset(fd);
  return true;
}

// Whether the exec before this one was in the container of that socket, which has not ended.
bool keeps_container(const char* socket) {
  const char* kept = getenv(kContainerName);
  struct pollfd first_process = {kContainerFd, POLLIN, 0};
  return kept && strcmp(kept, socket) == 0 && poll(&first_process, 1, 0) == 0;
}

// What an exec before this one joined is not where the next one's process belongs.
bool join_own_pid_namespace(Failure& f) {
  Fd own(sys::open_file("/proc/self/ns/pid", O_RDONLY));
  return (own && setns(own.get(), CLONE_NEWPID) == 0) || fail(f, errno, "setns", "pid");
}

// The descriptors of the next exec; false when none comes.
bool await_descriptors() {
  for (;;) {
    protocol::Header header;
    struct iovec data = {&header, sizeof header};
    alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))];
    struct msghdr message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n = recvmsg(kControlFd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    if (n < 0 && errno == EINTR) continue;
    if (n != sizeof header) return false;
    if (header.type == protocol::kPassed) {
      struct cmsghdr* rights = CMSG_FIRSTHDR(&message);
      size_t count = rights ? (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
      int fds[3];
      memcpy(fds, CMSG_DATA(rights), count * sizeof(int));
      // They came as the lowest free ones, in this order.
      for (size_t i = 0; i < count; i++) {
        if (fds[i] != kFirstFd + static_cast<int>(i)) return false;
      }
      return true;
    }
    // A request to the process that has ended, sent before that was known.
    uint8_t rest[256];
    if (header.length > sizeof rest || recv(kControlFd, rest, header.length, MSG_WAITALL) != header.length)
      return false;
  }
}

}  // namespace

// {socket, CLONE_NEW* to join}
bool find_container(Supervisor& s, Reader& r, Failure& f) {
  const char* path = r.text();
  bool joins_pid = r.u64() & CLONE_NEWPID;
  // Not dumpable before anything of the container is joined: nobody in there may trace the newcomer or reach its
  // descriptors (CVE-2016-9962).
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (!keeps_container(path)) {
    Fd socket, pidfd;
    if (!connect_to(path, socket, f) || !receive_pidfd(socket.get(), pidfd, f)) return false;
    if (dup3(pidfd.get(), kContainerFd, O_CLOEXEC) < 0) return fail(f, errno, "dup3");
  }
  s.container = path;
  if (!joins_pid) return join_own_pid_namespace(f);
  return setns(kContainerFd, CLONE_NEWPID) == 0 || fail(f, errno, "setns", "pid");
}

void begin_again(Supervisor& s) {
  const Client& owner = s.clients[0];
  if (!s.plan.settings.reusable || !process_title || owner.fd != kControlFd || owner.broken || has_backlog(owner))
    return;
  if (sys::close_range(kFirstFd, ~0U, CLOSE_RANGE_CLOEXEC) < 0 || fcntl(kControlFd, F_SETFD, 0) < 0 ||
      fcntl(kContainerFd, F_SETFD, 0) < 0)
    return;
  Fd image(sys::open_file("/proc/self/exe", O_PATH));
  if (!image) return;
  size_t room = strlen(process_title);
  memset(process_title, ' ', room);
  memcpy(process_title, "idle", room < 4 ? room : 4);
  char* argv[] = {const_cast<char*>("jubako-init"), const_cast<char*>("exec-again"), process_title, nullptr};
  char container[4096];
  snprintf(container, sizeof container, "%s=%s", kContainerName, s.container);
  char* envp[] = {container, nullptr};
  sys::exec_at(image.get(), "", argv, envp, AT_EMPTY_PATH);
}

int exec_main() {
  static Supervisor supervisor;
  supervisor.of_exec = true;
  return run_supervisor(supervisor);
}

int exec_again_main() {
  fcntl(kContainerFd, F_SETFD, FD_CLOEXEC);
  protocol::Header idle = {protocol::kIdle, 0};
  if (send(kControlFd, &idle, sizeof idle, MSG_NOSIGNAL) != sizeof idle || !await_descriptors()) return 0;
  return exec_main();
}

}  // namespace jubako
