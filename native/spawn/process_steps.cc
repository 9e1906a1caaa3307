#include "process_steps.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "../mount/path.h"
#include "../sys/fd.h"
#include "../sys/linux.h"
#include "kernel_settings.h"

namespace jubako::steps {

namespace {

bool write_at(int directory, const char* path, const char* value, uint64_t resolve, Failure& f) {
  Fd fd(sys::open_at2(directory, path, O_WRONLY | O_NOFOLLOW, resolve));
  if (!fd) return fail(f, errno, "openat2", path);
  size_t size = strlen(value);
  ssize_t n = write(fd.get(), value, size);
  return n == static_cast<ssize_t>(size) || fail(f, errno, "write", path);
}

}  // namespace

bool loopback(Child& child, Reader&, Failure& f) { return (child.furnished & CLONE_NEWNET) || raise_loopback(f); }

bool hostname(Child&, Reader& r, Failure& f) {
  Bytes name = r.bytes();
  const char* text = reinterpret_cast<const char*>(name.data);
  return sethostname(text, name.size) == 0 || fail(f, errno, "sethostname", text);
}

bool domainname(Child&, Reader& r, Failure& f) {
  Bytes name = r.bytes();
  const char* text = reinterpret_cast<const char*>(name.data);
  return setdomainname(text, name.size) == 0 || fail(f, errno, "setdomainname", text);
}

bool sysctl(Child& child, Reader& r, Failure& f) {
  const char* key = r.text();
  const char* value = r.text();
  return (child.furnished & r.u64()) || set_sysctl(key, value, f);
}

bool rlimit(Child&, Reader& r, Failure& f) {
  int resource = r.i32();
  struct rlimit limit;
  limit.rlim_cur = r.u64();
  limit.rlim_max = r.u64();
  return setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0 || fail(f, errno, "setrlimit", r.text());
}

bool oom_score_adj(Child&, Reader& r, Failure& f) {
  char text[16];
  snprintf(text, sizeof text, "%d", r.i32());
  return write_at(AT_FDCWD, "/proc/self/oom_score_adj", text, 0, f);
}

bool keyring(Child&, Reader& r, Failure& f) {
  const char* name = r.text();
  if (sys::keyctl(KEYCTL_JOIN_SESSION_KEYRING, reinterpret_cast<unsigned long>(name)) >= 0) return true;
  // A kernel without keys, or the quota of root's keys is used up: then the keyring is the caller's and the default
  // seccomp profile keeps the container from it.
  return errno == ENOSYS || errno == EDQUOT || errno == EPERM || fail(f, errno, "keyctl", name);
}

bool join_namespace(Child& child, Reader& r, Failure& f) {
  uint32_t index = r.u32();
  int kind = static_cast<int>(r.u64());
  if (setns(child.passed[index], kind) < 0) return fail(f, errno, "setns", r.text());
  if (kind & CLONE_NEWNS) {
    // setns made the other namespace's root this process's own.
    child.root = sys::open_at2(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
    if (child.root < 0) return fail(f, errno, "openat2", "/");
  }
  return true;
}

bool cgroup_join(Child&, Reader& r, Failure& f) {
  Strings files = r.strings();
  for (uint32_t i = 0; i < files.count; i++) {
    if (!write_at(AT_FDCWD, files.next(), "0", 0, f)) return false;
  }
  return true;
}

bool unshare_cgroup(Child&, Reader&, Failure& f) {
  return unshare(CLONE_NEWCGROUP) == 0 || fail(f, errno, "unshare", "cgroup");
}

// One byte from the supervisor: its beside steps are done. Its end means that it gave up, and this process with it.
bool wait_host(Child& child, Reader&, Failure& f) {
  char byte;
  ssize_t n;
  do n = recv(child.status, &byte, 1, 0);
  while (n < 0 && errno == EINTR);
  return n == 1 || fail(f, ECANCELED, "recv", "supervisor");
}

bool session(Child& child, Reader&, Failure& f) {
  if (setsid() < 0) return fail(f, errno, "setsid");
  if (child.terminal >= 0 && ioctl(child.terminal, TIOCSCTTY, 0) < 0) return fail(f, errno, "ioctl", "TIOCSCTTY");
  return true;
}

bool user(Child& child, Reader& r, Failure& f) {
  const char* spec = r.text();
  return resolve_user(child, spec, r.strings(), f);
}

// After pivot_root: a magic link such as /proc/self/fd/7 must not lead out (CVE-2024-21626).
bool workdir(Child& child, Reader& r, Failure& f) {
  const char* path = r.text();
  bool create = r.u32() != 0;
  Fd fd(open_target(child.root, path, create ? Create::kDirectory : Create::kNothing, f));
  if (!fd) return false;
  if (fchdir(fd.get()) < 0) return fail(f, errno, "chdir", path);
  char where[4096];
  long n = syscall(SYS_getcwd, where, sizeof where);
  if (n < 0 && errno != ENAMETOOLONG && errno != ERANGE) return fail(f, errno, "getcwd", path);
  if (n > 0 && where[0] != '/') return fail(f, EXDEV, "getcwd", path);
  return true;
}

bool credentials(Child& child, Reader& r, Failure& f) {
  uint64_t bounding = r.u64(), permitted = r.u64(), effective = r.u64(), inheritable = r.u64(), ambient = r.u64();
  uint64_t until_execve = r.u64();
  for (int capability = 0; capability < 64; capability++) {
    if (bounding >> capability & 1) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
      if (errno == EINVAL) break;
      return fail(f, errno, "prctl", "PR_CAPBSET_DROP");
    }
  }
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return fail(f, errno, "prctl", "PR_SET_KEEPCAPS");
  if (syscall(SYS_setgroups, child.group_count, child.groups) < 0) return fail(f, errno, "setgroups");
  if (syscall(SYS_setresgid, child.gid, child.gid, child.gid) < 0) return fail(f, errno, "setresgid");
  if (syscall(SYS_setresuid, child.uid, child.uid, child.uid) < 0) return fail(f, errno, "setresuid");
  if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0) return fail(f, errno, "prctl", "PR_SET_KEEPCAPS");
  // As execve does it for a user that is not root: nothing stays effective or permitted but what is ambient.
  if (child.uid != 0) {
    permitted = ambient;
    effective = ambient;
  }
  // seccomp(2) without no_new_privs needs CAP_SYS_ADMIN. What is kept for it goes with execve, which computes the sets
  // anew from the bounding, inheritable and ambient ones (capabilities(7), "Transformation of capabilities").
  permitted |= until_execve;
  effective |= until_execve;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {};
  for (int i = 0; i < 2; i++) {
    data[i].effective = static_cast<uint32_t>(effective >> (32 * i));
    data[i].permitted = static_cast<uint32_t>(permitted >> (32 * i));
    data[i].inheritable = static_cast<uint32_t>(inheritable >> (32 * i));
  }
  if (syscall(SYS_capset, &header, data) < 0) return fail(f, errno, "capset");
  for (int capability = 0; capability < 64; capability++) {
    if (!(ambient >> capability & 1)) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
      return fail(f, errno, "prctl", "PR_CAP_AMBIENT_RAISE");
  }
  // The change of credentials cleared it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return fail(f, errno, "prctl", "PR_SET_PDEATHSIG");
  return true;
}

bool no_new_privileges(Child&, Reader&, Failure& f) {
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || fail(f, errno, "prctl", "PR_SET_NO_NEW_PRIVS");
}

bool seccomp(Child&, Reader& r, Failure& f) {
  Bytes program = r.bytes();
  struct sock_fprog filter = {};
  filter.len = static_cast<unsigned short>(program.size / sizeof(struct sock_filter));
  filter.filter = reinterpret_cast<struct sock_filter*>(const_cast<uint8_t*>(program.data));
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0 || fail(f, errno, "seccomp");
}

bool execute_command(Child& child, Reader& r, Failure& f) {
  Strings argv = r.strings();
  Strings envp = r.strings();
  return execute(child, argv, envp, r.u32() != 0, f);
}

bool fail_on_purpose(Child&, Reader& r, Failure& f) { return fail(f, r.i32(), "fail", "asked to"); }

}  // namespace jubako::steps
