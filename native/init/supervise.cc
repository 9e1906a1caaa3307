#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "../spawn/start.h"
#include "../sys/files.h"
#include "../sys/linux.h"
#include "roles.h"
#include "supervisor.h"

namespace jubako {

namespace {

// In the new process: becomes the command or tells why not.
[[noreturn]] void child_main(Supervisor& s, int status, const int* passed) {
  // The supervisor's death is the container's. Its parent may be gone already.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  Child child;
  child.status = status;
  child.passed = passed;
  child.rows = s.plan.settings.rows;
  child.columns = s.plan.settings.columns;
  child.use_terminal = s.plan.settings.streams[0] == Stream::kPty || s.plan.settings.streams[1] == Stream::kPty;
  for (int i = 0; i < 3; i++) child.stdio[i] = s.child_stdio[i];
  Failure failure;
  child.root = s.root.get();
  child.furnished = s.namespaces.flags;
  failure.op = kNamespaces;
  if (enter_namespaces(s.namespaces, failure)) {
    failure.op = 0;
    run_child_steps(child, s.plan.child, failure);
  }
  if (send(status, &failure, sizeof failure, MSG_NOSIGNAL) < 0) _exit(126);
  _exit(127);
}

bool start_child(Supervisor& s, Failure& f) {
  const Settings& settings = s.plan.settings;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail(f, errno, "socketpair");
  Fd ours(pair[0]), theirs(pair[1]);
  Fd cgroup;
  int pidfd = -1;
  struct clone_args arguments = {};
  arguments.flags = CLONE_PIDFD | (settings.clone_flags & ~s.namespaces.flags);
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  if (*settings.into_cgroup) {
    cgroup.reset(sys::open_at2(AT_FDCWD, settings.into_cgroup, O_PATH | O_DIRECTORY, 0));
    if (!cgroup) return fail(f, errno, "openat2", settings.into_cgroup);
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup.get());
  }
  static int passed[kMaxFds];
  for (size_t i = 0; i < kMaxFds; i++) passed[i] = kFirstFd + static_cast<int>(i);
  long pid = sys::clone3(&arguments);
  if (pid < 0) return fail(f, errno, "clone3", settings.into_cgroup);
  if (pid == 0) child_main(s, theirs.get(), passed);
  // They are the container's alone now; its next life gets others. Of the network this process needs it, too: the child
  // may not be in it yet.
  s.network.inside = s.namespaces.network.release();
  s.namespaces = {};
  s.root.reset();
  s.pid = static_cast<pid_t>(pid);
  s.pidfd.reset(pidfd);
  s.status = ours.release();
  for (int& fd : s.child_stdio) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
  watch(s, s.pidfd.get(), EPOLLIN, &s.pidfd);
  watch(s, s.status, EPOLLIN, &s.status);
  return true;
}

// The plan; what needs no more than the container's name is done before it comes. The first failure is the plan's too.
Bytes await_plan(Supervisor& s, Failure& f) {
  for (;;) {
    uint32_t type = 0;
    Bytes frame = receive_frame(kControlFd, type, f);
    if (frame.size == 0 || type == protocol::kPlan) return frame;
    if (type == protocol::kTitle) {
      size_t room = process_title ? strlen(process_title) : 0;
      memcpy(process_title, frame.data, frame.size < room ? frame.size : room);
      continue;
    }
    if (type != protocol::kPrepare) return fail(f, EPROTO, "plan", "frame"), Bytes();
    if (!f.failed()) run_sent_steps(s, frame.data, frame.size, f);
  }
}

// First of all: whatever fails from here on is told.
bool serve_control(Supervisor& s, Failure& f) {
  s.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (s.epoll < 0) return fail(f, errno, "epoll_create1");
  fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  add_client(s, kControlFd, true);
  return true;
}

// Once, before the first life.
bool set_up(Supervisor& s, Failure& f) {
  s.clients[0].attached = s.plan.settings.attach_mask;
  if (!run_host_steps(s, s.plan.begin, f)) return false;
  if (s.listener >= 0) watch(s, s.listener, EPOLLIN, &s.listener);
  const Settings& settings = s.plan.settings;
  if (*settings.log_path)
    s.log.open({settings.log_path, settings.log_max_size, settings.log_max_files, settings.log_compress,
                settings.log_attributes});
  return true;
}

bool begin_life(Supervisor& s, Failure& f) {
  if (!run_host_steps(s, s.plan.host, f)) return false;
  f.op = kStdio;
  if (!open_streams(s, f)) return false;
  f.op = kClone;
  if (!start_child(s, f)) return false;
  f.op = 0;
  if (!run_host_steps(s, s.plan.beside, f)) {
    sys::pidfd_send_signal(s.pidfd.get(), SIGKILL);
    siginfo_t info;
    waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(s.pidfd.get()), &info, WEXITED);
    return false;
  }
  char mounts[32];
  snprintf(mounts, sizeof mounts, "/proc/%d/ns/mnt", s.pid);
  s.mounts.reset(sys::open_file(mounts, O_RDONLY));
  // A child that failed already does not listen any more; its failure is in the socket.
  send(s.status, "G", 1, MSG_NOSIGNAL);
  return true;
}

// From the host steps to what is to be said of the end. False when it did not come to life.
bool live(Supervisor& s, Failure& f) {
  if (!begin_life(s, f)) return false;
  supervise(s);
  if (s.failed) f = s.failure;
  return !s.failed;
}

// Nothing of one life is left for the next but the log, the socket and who asks nothing of this one.
void end_life(Supervisor& s) {
  leave_behind(s);
  for (Client& client : s.clients) {
    if (client.fd < 0) continue;
    bool stays = !has_backlog(client) && (client.owner || (!client.waits && !client.attached));
    if (stays)
      client.attached = 0;
    else
      drop_client(s, client);
  }
  network_leave(s);
  close_streams(s);
  if (s.status >= 0) {
    unwatch(s, s.status);
    close(s.status);
  }
  s.status = -1;
  s.files.reset();
  s.pidfd.reset();
  s.pid = -1;
  s.started = s.reaped = s.killed = false;
  s.exit = {};
}

// Whoever has everything sees the end of its socket, the owner last.
void finish(Supervisor& s) {
  leave_behind(s);
  for (Client& client : s.clients) {
    if (client.fd >= 0 && (!client.owner || has_backlog(client))) drop_client(s, client);
  }
  if (s.listener >= 0) close(s.listener);
}

}  // namespace

int run_supervisor(Supervisor& s) {
  // A group of its own: the terminal's signals are for the application, not for its containers. (A session would cost a
  // scheduler group.)
  setpgid(0, 0);
  // Every mode below is meant as it is written.
  umask(0);
  Failure failure;
  Bytes plan = await_plan(s, failure);
  if (plan.size == 0 && !failure.failed()) {
    s.root.reset();
    run_sent_end(s);
    return 0;
  }
  // The plan says from now on how to clean up.
  s.sent = {};
  bool prepared = !failure.failed();
  Failure trouble;
  bool ready =
      serve_control(s, trouble) && decode_plan(plan.data, plan.size, s.plan, trouble) && prepared && set_up(s, trouble);
  if (prepared) failure = trouble;
  for (bool again = ready; again;) {
    ready = live(s, failure);
    if (!ready) break;
    again = wants_restart(s);
    s.exit.restarting = again;
    event_exit(s);
    record_exit(s);
    bury(s);
    broadcast(s, protocol::kExit, &s.exit, sizeof s.exit);
    s.mounts.reset();
    if (*s.plan.settings.kill_path) kill_everything(s);
    if (!again) break;
    run_exit_steps(s, s.plan.exit);
    protocol::ExitInfo last = s.exit;
    end_life(s);
    again = wait_for_restart(s);
    if (again) continue;
    // Stopped while it waited: its last end was the end.
    s.exit = last;
    s.exit.restarting = 0;
    record_exit(s);
  }
  if (!ready) {
    if (s.failed && *s.plan.settings.kill_path) kill_everything(s);
    record_failure(s, failure);
    bury(s);
    broadcast(s, protocol::kFailed, &failure, sizeof failure);
  }
  s.root.reset();
  s.mounts.reset();
  s.log.close();
  finish(s);
  network_leave(s);
  if (!s.denied) {
    run_sent_end(s);
    run_exit_steps(s, s.plan.exit);
    run_exit_steps(s, s.plan.end);
  }
  network_give_up(s);
  // Closing a socket of nf_tables waits until the kernel has freed what was deleted, for milliseconds: nobody else has
  // to.
  if (s.lock >= 0) close(s.lock);
  for (Client& client : s.clients) {
    if (client.owner) send_frame(s, client, protocol::kGone, nullptr, 0);
  }
  if (ready) begin_again(s);
  return 0;
}

int supervise_main() {
  static Supervisor supervisor;
  return run_supervisor(supervisor);
}

}  // namespace jubako
