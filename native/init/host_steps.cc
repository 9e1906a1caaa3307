#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../lib/remove_tree.h"
#include "../mount/filesystem.h"
#include "../mount/path.h"
#include "../sys/files.h"
#include "../sys/linux.h"
#include "stubs.h"
#include "supervisor.h"

namespace jubako {

namespace {

// A descriptor stays open for the writes to one file that follow each other: device rules are a dozen.
bool write_value(const char* path, const char* value, size_t size, Failure& f) {
  static Fd fd;
  static const char* opened = "";
  if (!fd || strcmp(opened, path) != 0) {
    fd.reset(sys::open_file(path, O_WRONLY));
    opened = path;
  }
  if (!fd) return fail(f, errno, "open", path);
  ssize_t n = write(fd.get(), value, size);
  if (n == static_cast<ssize_t>(size)) return true;
  int error = errno;
  char what[sizeof f.path];
  snprintf(what, sizeof what, "%s = %s", path, value);
  return fail(f, error, "write", what);
}

bool make_directory(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  mode_t mode = r.u32();
  bool may_exist = r.u32() != 0;
  if (sys::make_directory(path, mode) == 0 || (may_exist && errno == EEXIST)) return true;
  return fail(f, errno, "mkdir", path);
}

bool write_file(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  mode_t mode = r.u32();
  Bytes data = r.bytes();
  Fd fd(sys::open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
  if (!fd) return fail(f, errno, "open", path);
  ssize_t n = write(fd.get(), data.data, data.size);
  return n == static_cast<ssize_t>(data.size) || fail(f, n < 0 ? errno : ENOSPC, "write", path);
}

// The parents exist but for the first container; a removal of the last one may take them away at any moment.
bool cgroup_mkdir(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  Strings parents = r.strings();
  for (int attempt = 0;; attempt++) {
    if (sys::make_directory(path, 0755) == 0) return true;
    if (errno != ENOENT || attempt == 3) return fail(f, errno, "mkdir", path);
    Strings walk = parents;
    for (uint32_t i = 0; i < walk.count; i++) {
      const char* parent = walk.next();
      if (sys::make_directory(parent, 0755) < 0 && errno != EEXIST && errno != ENOENT)
        return fail(f, errno, "mkdir", parent);
    }
  }
}

bool cgroup_parents(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  return sys::make_directory(path, 0755) == 0 || errno == EEXIST || fail(f, errno, "mkdir", path);
}

bool cgroup_write(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  Bytes value = r.bytes();
  bool required = r.u32() != 0;
  Failure ignored;
  return write_value(path, reinterpret_cast<const char*>(value.data), value.size, required ? f : ignored) || !required;
}

bool cgroup_devices(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  Bytes program = r.bytes();
  union bpf_attr load = {};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<uint64_t>(program.data);
  load.insn_cnt = program.size / sizeof(struct bpf_insn);
  load.license = reinterpret_cast<uint64_t>("Apache-2.0");
  Fd loaded(static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load)));
  if (!loaded) return fail(f, errno, "bpf", "BPF_PROG_LOAD");
  Fd cgroup(sys::open_file(path, O_RDONLY | O_DIRECTORY));
  if (!cgroup) return fail(f, errno, "open", path);
  union bpf_attr attach = {};
  attach.target_fd = static_cast<uint32_t>(cgroup.get());
  attach.attach_bpf_fd = static_cast<uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  return syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) == 0 || fail(f, errno, "bpf", path);
}

// The root of the first life, while the plan is still being thought out. Where overlayfs would need a place to mount it
// on, the first process makes it in a mount namespace of its own.
bool make_root(Supervisor& s, Reader& r, Failure& f) {
  OverlaySpec spec = read_overlay(r);
  if (!has_lowerdir_plus()) return true;
  s.root.reset(make_overlay(spec, f));
  return static_cast<bool>(s.root);
}

// Files and directories that the container's first process will mount on: to make them takes as long as to mount. What
// cannot be made here is the failure of the step that needs it.
bool mount_targets(Supervisor& s, Reader& r, Failure&) {
  if (!s.root) return true;
  for (Create create : {Create::kDirectory, Create::kFile}) {
    Strings paths = r.strings();
    for (uint32_t i = 0; i < paths.count; i++) {
      Failure ignored;
      Fd made(open_target(s.root.get(), paths.next(), create, ignored));
    }
  }
  return true;
}

// A lock that another process can ask about without taking it from us: who fails sees a container that lives. A
// supervisor that ends unlinks its file, so what was locked must still be what has the name.
bool lock(Supervisor& s, Reader& r, Failure& f) {
  const char* path = r.text();
  for (;;) {
    Fd fd(sys::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (!fd) return fail(f, errno, "open", path);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd.get(), F_OFD_SETLK, &lock) < 0) {
      s.denied = true;
      return fail(f, errno, "fcntl", path);
    }
    struct stat ours, named;
    if (fstat(fd.get(), &ours) < 0) return fail(f, errno, "fstat", path);
    Fd now(sys::open_file(path, O_PATH | O_NOFOLLOW));
    if (!now || fstat(now.get(), &named) < 0 || named.st_ino != ours.st_ino) continue;
    s.lock = fd.release();
    return true;
  }
}

// The writable layer is one life's alone: who copies from or to a stopped container has this lock for as long
// (src/engine/files-lock.ts).
bool hold_files(Supervisor& s, Reader& r, Failure& f) {
  const char* path = r.text();
  s.files.reset(sys::open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!s.files) return fail(f, errno, "open", path);
  while (flock(s.files.get(), LOCK_EX) < 0) {
    if (errno != EINTR) return fail(f, errno, "flock", path);
  }
  return true;
}

bool listen_on(Supervisor& s, Reader& r, Failure& f) {
  const char* path = r.text();
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // The path may be longer than a socket's name: the directory's descriptor stands for it.
  const char* slash = strrchr(path, '/');
  char folder[4096];
  snprintf(folder, sizeof folder, "%.*s", static_cast<int>(slash ? slash - path : 0), path);
  Fd directory(sys::open_file(folder, O_PATH | O_DIRECTORY));
  if (!directory) return fail(f, errno, "open", folder);
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory.get(), slash + 1);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(f, errno, "socket", path);
  unlinkat(directory.get(), slash + 1, 0);
  if (bind(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) < 0)
    return fail(f, errno, "bind", path);
  if (fchmodat(directory.get(), slash + 1, 0600, 0) < 0) return fail(f, errno, "fchmodat", path);
  if (listen(socket.get(), 64) < 0) return fail(f, errno, "listen", path);
  s.listener = socket.release();
  return true;
}

// A process that was killed leaves its cgroup a moment after it was reaped.
bool cgroup_remove(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  for (int attempt = 0; attempt < 200; attempt++) {
    if (sys::remove_directory(path) == 0 || errno == ENOENT) return true;
    if (errno != EBUSY) break;
    poll(nullptr, 0, attempt < 20 ? 1 : 10);
  }
  return fail(f, errno, "rmdir", path);
}

// Renamed first, so that the name is free at once and a crash leaves it where the next start sweeps.
bool remove_directory(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  const char* trash = r.text();
  const char* gone = path;
  if (*trash && sys::rename_path(path, trash) == 0) gone = trash;
  return remove_tree(gone, f);
}

// An anonymous volume goes with its last container: the directory `users` has a file for each.
bool release_volume(Supervisor&, Reader& r, Failure& f) {
  const char* directory = r.text();
  const char* user = r.text();
  const char* trash = r.text();
  Fd volume(sys::open_file(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!volume) return errno == ENOENT || fail(f, errno, "open", directory);
  Fd users(openat(volume.get(), "users", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (users && unlinkat(users.get(), user, 0) < 0 && errno != ENOENT) return fail(f, errno, "unlinkat", user);
  if (unlinkat(volume.get(), "users", AT_REMOVEDIR) < 0)
    return errno == ENOTEMPTY || errno == EEXIST || fail(f, errno, "unlinkat", directory);
  if (sys::rename_path(directory, trash) < 0) return errno == ENOENT || fail(f, errno, "rename", directory);
  return remove_tree(trash, f);
}

bool unlink_file(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  return sys::remove_file(path) == 0 || errno == ENOENT || fail(f, errno, "unlink", path);
}

// Gives the container's name back. It may have been renamed since the plan was made: then a link in its directory says
// what it is called. Only a name that still stands for this container is taken away.
bool release_name(Supervisor&, Reader& r, Failure& f) {
  const char* names = r.text();
  const char* directory = r.text();
  const char* name = r.text();
  const char* id = r.text();
  char path[4096], renamed[300], holder[128];
  snprintf(path, sizeof path, "%s/renamed", directory);
  ssize_t n = sys::read_link(path, renamed, sizeof renamed - 1);
  if (n > 0) renamed[n] = 0;
  snprintf(path, sizeof path, "%s/%s", names, n > 0 ? renamed : name);
  n = sys::read_link(path, holder, sizeof holder - 1);
  if (n < 0 || static_cast<size_t>(n) < strlen(id) || strncmp(holder, id, strlen(id)) != 0) return true;
  return sys::remove_file(path) == 0 || errno == ENOENT || fail(f, errno, "unlink", path);
}

bool remove_empty(Supervisor&, Reader& r, Failure& f) {
  const char* path = r.text();
  return sys::remove_directory(path) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EBUSY ||
         fail(f, errno, "rmdir", path);
}

bool write_event(Supervisor& s, Reader& r, Failure&) {
  event(s, r.text(), "");
  return true;
}

struct Act {
  Op op;
  bool (*run)(Supervisor&, Reader&, Failure&);
};

bool fail_on_purpose(Supervisor&, Reader& r, Failure& f) { return fail(f, r.i32(), "fail", "asked to"); }

constexpr Act kActs[] = {
    {kFindContainer, find_container},
    {kMkdir, make_directory},
    {kWriteFile, write_file},
    {kCgroupMkdir, cgroup_mkdir},
    {kCgroupParents, cgroup_parents},
    {kCgroupWrite, cgroup_write},
    {kNamespaces, make_namespaces},
    {kMakeRoot, make_root},
    {kMountTargets, mount_targets},
    {kCgroupDevices, cgroup_devices},
    {kLock, lock},
    {kHoldFiles, hold_files},
    {kListen, listen_on},
    {kCgroupRemove, cgroup_remove},
    {kRemoveTree, remove_directory},
    {kUnlink, unlink_file},
    {kRmdir, remove_empty},
    {kVolumeRelease, release_volume},
    {kEvent, write_event},
    {kReleaseName, release_name},
    {kCleanStubs, clean_stubs},
    {kFail, fail_on_purpose},
    {kNetlink, network_netlink},
    {kReservePort, network_reserve},
    {kReservedPorts, network_ports},
    {kNetworkRelease, network_release},
    {kNetworkName, network_name},
    {kNetworkUnname, network_unname},
    {kResolver, network_resolver},
    {kResolveIn, network_resolve_in},
    {kResolveNot, network_resolve_not},
    {kNetworkHeal, network_heal},
    {kNetworkTables, network_tables},
};

bool run_step(Supervisor& s, Step& step, Failure& f) {
  for (const Act& act : kActs) {
    if (act.op != step.op) continue;
    if (act.run(s, step.fields, f)) return true;
    f.op = step.op;
    return false;
  }
  f.op = step.op;
  return fail(f, ENOSYS, "plan", step_name(step.op));
}

// Every pid of a v1 cgroup, while it is frozen so that none can fork away.
void kill_processes(const char* procs) {
  for (int round = 0; round < 100; round++) {
    Fd fd(sys::open_file(procs, O_RDONLY));
    if (!fd) return;
    char text[4096];
    size_t used = 0;
    bool any = false;
    ssize_t n;
    while ((n = read(fd.get(), text + used, sizeof text - 1 - used)) > 0) {
      used += static_cast<size_t>(n);
      text[used] = 0;
      char* line = text;
      for (char* end; (end = strchr(line, '\n')); line = end + 1) {
        pid_t pid = static_cast<pid_t>(strtol(line, nullptr, 10));
        if (pid > 0) {
          kill(pid, SIGKILL);
          any = true;
        }
      }
      used -= static_cast<size_t>(line - text);
      memmove(text, line, used);
    }
    if (!any) return;
    // Frozen processes die when thawed; without a freezer a fork can outrun one round.
    if (round == 0) return;
  }
}

}  // namespace

bool run_host_steps(Supervisor& s, StepList steps, Failure& f) {
  Step step;
  bool skip = false;
  while (steps.next(step)) {
    if (step.op == kNetworks) {
      skip = s.sent.memory != nullptr;
      if (skip && !run_host_steps(s, StepList(Reader(s.sent.later.data, s.sent.later.size)), f)) return false;
    } else if (step.op == kNetworksEnd) {
      skip = false;
    } else if (!skip && !run_step(s, step, f)) {
      return false;
    }
  }
  return true;
}

void run_exit_steps(Supervisor& s, StepList steps) {
  Step step;
  while (steps.next(step)) {
    Failure ignored;
    run_step(s, step, ignored);
  }
}

void run_sent_end(Supervisor& s) { run_exit_steps(s, StepList(Reader(s.sent.end.data, s.sent.end.size))); }

// {u32 size, steps, NUL}, four times: what to do now, what undoes it when it fails, and the members of SentSteps.
bool run_sent_steps(Supervisor& s, const uint8_t* data, size_t size, Failure& f) {
  auto* memory = static_cast<uint8_t*>(malloc(size ? size : 1));
  if (!memory) return fail(f, ENOMEM, "malloc");
  memcpy(memory, data, size);
  Reader reader(memory, size);
  Bytes act = reader.bytes(), reverse = reader.bytes();
  SentSteps sent = {memory, reader.bytes(), reader.bytes()};
  bool good = reader.ok() || fail(f, EPROTO, "plan", "malformed");
  if (good && !run_host_steps(s, StepList(Reader(act.data, act.size)), f)) {
    if (!s.denied) run_exit_steps(s, StepList(Reader(reverse.data, reverse.size)));
    good = false;
  }
  if (good) {
    free(s.sent.memory);
    s.sent = sent;
  } else {
    free(memory);
  }
  return good;
}

void kill_everything(Supervisor& s) {
  s.killed = true;
  Failure ignored;
  const Settings& settings = s.plan.settings;
  switch (settings.kill) {
    case KillKind::kCgroupKill: write_value(settings.kill_path, "1", 1, ignored); break;
    case KillKind::kProcs:
      if (*settings.freezer_path) write_value(settings.freezer_path, "FROZEN", 6, ignored);
      kill_processes(settings.kill_path);
      if (*settings.freezer_path) write_value(settings.freezer_path, "THAWED", 6, ignored);
      break;
    case KillKind::kInit: break;
  }
  if (s.pidfd) sys::pidfd_send_signal(s.pidfd.get(), SIGKILL);
}

}  // namespace jubako
