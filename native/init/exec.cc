#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "../spawn/start.h"
#include "../sys/linux.h"
#include "roles.h"
#include "supervisor.h"

namespace jubako {

int run_supervisor(Supervisor& s, bool (*prepare)(Supervisor&, Failure&));

namespace {

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

// Passed descriptor 0 becomes the container's pidfd, which the child's join-namespace steps use; the pid namespace is
// joined here, since that takes effect for children only.
bool find_container(Supervisor& s, Failure& f) {
  // Not dumpable before anything of the container is joined: nobody in there may trace the newcomer or reach its
  // descriptors (CVE-2016-9962).
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  f.op = kFindContainer;
  Fd socket, pidfd;
  if (!connect_to(s.plan.settings.container_socket, socket, f) || !receive_pidfd(socket.get(), pidfd, f)) return false;
  int slot = kFirstFd + static_cast<int>(kMaxFds) - 1;
  if (dup3(pidfd.get(), slot, O_CLOEXEC) < 0) return fail(f, errno, "dup3");
  f.op = kJoinNamespace;
  if (s.plan.settings.join_namespaces & CLONE_NEWPID && setns(slot, CLONE_NEWPID) < 0)
    return fail(f, errno, "setns", "pid");
  f.op = 0;
  return true;
}

}  // namespace

int exec_main() {
  static Supervisor supervisor;
  return run_supervisor(supervisor, find_container);
}

}  // namespace jubako
