#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "../pty/pty.h"
#include "../sys/linux.h"
#include "../sys/raw.h"
#include "supervisor.h"

// Of the linker: where the program begins and where its code ends.
extern "C" const char __executable_start, etext;

namespace jubako {

void watch(Supervisor& s, int fd, uint32_t events, void* who) {
  struct epoll_event event = {};
  event.events = events;
  event.data.ptr = who;
  epoll_ctl(s.epoll, EPOLL_CTL_ADD, fd, &event);
}

void rewatch(Supervisor& s, int fd, uint32_t events, void* who) {
  struct epoll_event event = {};
  event.events = events;
  event.data.ptr = who;
  // No interest at all: out of the set, since EPOLLHUP and EPOLLERR are always reported.
  if (events == 0)
    epoll_ctl(s.epoll, EPOLL_CTL_DEL, fd, nullptr);
  else if (epoll_ctl(s.epoll, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
    epoll_ctl(s.epoll, EPOLL_CTL_ADD, fd, &event);
}

void unwatch(Supervisor& s, int fd) { epoll_ctl(s.epoll, EPOLL_CTL_DEL, fd, nullptr); }

namespace {

// Set-up touched most of the program; waiting needs one page of it. The others stay in the page cache and come back by
// a fault, so an idle supervisor costs next to nothing. Forgetting and waiting are one function without a call.
__attribute__((noinline)) int wait_forgetful(int epoll, struct epoll_event* events, int count, int timeout,
                                             uintptr_t page) {
  uintptr_t from = reinterpret_cast<uintptr_t>(&__executable_start) & ~(page - 1);
  uintptr_t to = reinterpret_cast<uintptr_t>(&etext) & ~(page - 1);
  sys::raw(SYS_madvise, static_cast<long>(from), static_cast<long>(to - from), MADV_DONTNEED);
  return static_cast<int>(sys::raw(SYS_epoll_pwait, epoll, reinterpret_cast<long>(events), count, timeout));
}

void command_runs(Supervisor& s) {
  s.started = true;
  s.started_ms = now_ms();
  record_start(s);
  event(s, s.plan.settings.event_started, "");
  if (s.plan.settings.life_limit_ms) arm(s, kLifeLimit, static_cast<int64_t>(s.plan.settings.life_limit_ms));
  start_health(s);
  int32_t pid = s.pid;
  broadcast(s, protocol::kStarted, &pid, sizeof pid);
}

// From the child: the terminal's two ends, a failure, or the end of file that execve makes. False when there was
// nothing.
bool status_event(Supervisor& s) {
  alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
  Failure failure;
  struct iovec data = {&failure, sizeof failure};
  struct msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n;
  // ECONNRESET comes once, and before what the child sent: it ended without reading our "go on".
  do n = recvmsg(s.status, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  if (n < 0 && errno == EAGAIN) return false;
  struct cmsghdr* header = n > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(2 * sizeof(int))) {
    int fds[2];
    memcpy(fds, CMSG_DATA(header), sizeof fds);
    adopt_terminal(s, fds[0], fds[1]);
    return true;
  }
  unwatch(s, s.status);
  close(s.status);
  s.status = -1;
  if (n == sizeof failure) {
    s.failed = true;
    s.failure = failure;
    return true;
  }
  // A child that was killed during set-up ends the stream too: then its exit is at hand.
  siginfo_t info = {};
  bool dead = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(s.pidfd.get()), &info,
                     WEXITED | WNOHANG | WNOWAIT) == 0 &&
              info.si_pid != 0;
  if (dead && info.si_code != CLD_EXITED && s.killed) return true;
  command_runs(s);
  return true;
}

void reap(Supervisor& s) {
  siginfo_t info = {};
  int r;
  // Its pid stays taken until its end is on record (bury): who sees no process finds the record.
  do r = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(s.pidfd.get()), &info, WEXITED | WNOWAIT);
  while (r < 0 && errno == EINTR);
  unwatch(s, s.pidfd.get());
  // Everything the child had to say: the terminal first, then perhaps why it failed.
  while (s.status >= 0 && status_event(s)) {
  }
  s.reaped = true;
  s.exit.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
  s.exit.code = s.exit.signal ? 128 + s.exit.signal : info.si_status;
  s.exit.started_ms = s.started_ms;
  s.exit.finished_ms = now_ms();
}

void dispatch(Supervisor& s, const struct epoll_event& event) {
  void* who = event.data.ptr;
  if (who == &s.pidfd) return reap(s);
  if (who == &s.status) return static_cast<void>(status_event(s));
  if (who == &s.listener) return accept_clients(s);
  if (who == &s.input) return input_event(s);
  if (who == &s.network) return resolver_serve(s.network.resolver);
  if (who == &s.network.heal) return heal_serve(s);
  for (Output& output : s.outputs) {
    if (who != &output) continue;
    if (event.events & EPOLLOUT) input_event(s);
    if (output.fd >= 0 && event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) output_event(s, output);
    return;
  }
  if (health_event(s, who)) return;
  auto* client = static_cast<Client*>(who);
  if (client->fd >= 0) client_event(s, *client, event.events);
}

}  // namespace

int wait_and_dispatch(Supervisor& s, int milliseconds) {
  // After a quiet moment it forgets, once, and then waits without waking up.
  constexpr int kQuietMs = 200;
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  struct epoll_event events[16];
  bool long_wait = milliseconds < 0 || milliseconds > kQuietMs;
  int n = epoll_wait(s.epoll, events, 16, long_wait ? kQuietMs : milliseconds);
  if (n == 0 && long_wait) {
    s.log.forget();
    n = wait_forgetful(s.epoll, events, 16, milliseconds < 0 ? -1 : milliseconds - kQuietMs, page);
  }
  bool was_reaped = s.reaped;
  for (int i = 0; i < n && s.reaped == was_reaped; i++) dispatch(s, events[i]);
  run_timers(s);
  return n;
}

void supervise(Supervisor& s) {
  while (!s.reaped) wait_and_dispatch(s, timer_wait(s));
  for (Timer timer : {kLifeLimit, kStopTimeout}) disarm(s, timer);
  end_health(s);
  unwatch(s, s.pidfd.get());
  read_oom(s);
  if (s.plan.settings.kill_on_end) kill_everything(s);
  // The pipes end when the last process of the pid namespace is gone, which was before its first one could be reaped.
  drain_outputs(s);
}

void bury(Supervisor& s) {
  siginfo_t info;
  if (s.reaped) waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(s.pidfd.get()), &info, WEXITED | WNOHANG);
}

}  // namespace jubako
