#include "jail.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sys/fd.h"
#include "../sys/linux.h"

namespace jubako::archive {

namespace {

constexpr uint32_t kWriterCapabilities = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER |
                                         1U << CAP_FSETID | 1U << CAP_MKNOD | 1U << CAP_SETFCAP;
// CAP_SYS_ADMIN makes overlay's marks visible (xattr(7), "Trusted extended attributes"). No call on the reader's list
// does anything else with it.
constexpr uint32_t kReaderCapabilities = 1U << CAP_DAC_READ_SEARCH | 1U << CAP_SYS_ADMIN;

constexpr int kWriterCalls[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_close,
    SYS_openat,
    SYS_openat2,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_symlinkat,
    SYS_linkat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_fsetxattr,
    SYS_lsetxattr,
    SYS_setxattr,
    SYS_fgetxattr,
    SYS_lgetxattr,
    SYS_flistxattr,
    SYS_fremovexattr,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fcntl,
    SYS_dup,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_sched_yield,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_sendmsg,
    SYS_sendto,
    SYS_recvmsg,
    SYS_recvfrom,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigaction,
    SYS_gettid,
    SYS_getpid,
    SYS_tgkill,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_exit,
    SYS_exit_group,
    SYS_restart_syscall,
    SYS_fstatfs,
    SYS_ppoll,
#ifdef SYS_poll
    SYS_poll,
#endif
};

constexpr int kReaderCalls[] = {
    SYS_read,         SYS_write,        SYS_close,           SYS_openat2,
    SYS_openat,       SYS_fstat,        SYS_newfstatat,      SYS_statx,
    SYS_readlinkat,   SYS_getdents64,   SYS_flistxattr,      SYS_fgetxattr,
    SYS_lseek,        SYS_fadvise64,    SYS_fcntl,           SYS_mmap,
    SYS_munmap,       SYS_mremap,       SYS_mprotect,        SYS_madvise,
    SYS_brk,          SYS_futex,        SYS_sched_yield,     SYS_sendto,
    SYS_rt_sigreturn, SYS_rt_sigaction, SYS_rt_sigprocmask,  SYS_gettid,
    SYS_getpid,       SYS_tgkill,       SYS_set_robust_list, SYS_rseq,
    SYS_exit,         SYS_exit_group,   SYS_restart_syscall, SYS_ppoll,
#ifdef SYS_poll
    SYS_poll,
#endif
};

struct Allowance {
  __rlimit_resource_t resource;
  rlim_t limit;
};
// The address space has room for the arenas of three threads, the ring, a zstd window and every list at its limit.
constexpr Allowance kAllowances[] = {
    {RLIMIT_CORE, 0},
    {RLIMIT_AS, rlim_t{1} << 30},
    {RLIMIT_NOFILE, 512},
};

#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
#else
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
#endif

bool drop_capabilities(uint32_t kept, Failure& f) {
  for (int capability = 0; capability < 64; capability++) {
    if (capability < 32 && kept >> capability & 1) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
      if (errno == EINVAL) break;
      return fail(f, errno, "prctl", "PR_CAPBSET_DROP");
    }
  }
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {};
  data[0].effective = data[0].permitted = kept;
  return syscall(SYS_capset, &header, data) == 0 || fail(f, errno, "capset");
}

}  // namespace

int clone_directory(int directory, Failure& f) {
  const int tree = sys::open_tree(directory, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  if (tree < 0) fail(f, errno, "open_tree", "layer directory");
  return tree;
}

int enter_jail(int tree, JailFor purpose, Failure& f) {
  if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0) return fail(f, errno, "unshare"), -1;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return fail(f, errno, "mount", "/"), -1;
  struct mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  if (purpose == JailFor::kReading) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  if (sys::mount_setattr(tree, "", AT_EMPTY_PATH, &attributes) < 0) return fail(f, errno, "mount_setattr"), -1;
  if (sys::move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return fail(f, errno, "move_mount", "/"), -1;
  if (fchdir(tree) < 0) return fail(f, errno, "fchdir"), -1;
  if (sys::pivot_root(".", ".") < 0) return fail(f, errno, "pivot_root"), -1;
  if (umount2(".", MNT_DETACH) < 0) return fail(f, errno, "umount2"), -1;
  int root = sys::open_at2(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
  if (root < 0) return fail(f, errno, "openat2", "/"), -1;
  return shed_rights(purpose, f) ? root : -1;
}

bool shed_rights(JailFor purpose, Failure& f) {
  for (const Allowance& allowance : kAllowances) {
    const struct rlimit limit = {allowance.limit, allowance.limit};
    if (setrlimit(allowance.resource, &limit) < 0) return fail(f, errno, "setrlimit");
  }
  return drop_capabilities(purpose == JailFor::kReading ? kReaderCapabilities : kWriterCapabilities, f);
}

bool confine(JailFor purpose, Failure& f) {
  const bool reading = purpose == JailFor::kReading;
  const int* calls = reading ? kReaderCalls : kWriterCalls;
  const size_t count =
      reading ? sizeof kReaderCalls / sizeof *kReaderCalls : sizeof kWriterCalls / sizeof *kWriterCalls;
  struct sock_filter program[sizeof kWriterCalls / sizeof *kWriterCalls + 6];
  static_assert(sizeof kReaderCalls <= sizeof kWriterCalls);
  size_t at = 0;
  auto add = [&](uint16_t code, uint8_t yes, uint8_t no, uint32_t value) { program[at++] = {code, yes, no, value}; };
  add(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
  add(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, kArch);
  add(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
  add(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < count; i++)
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint8_t>(count - i), 0, static_cast<uint32_t>(calls[i]));
  add(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
  add(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {static_cast<unsigned short>(at), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail(f, errno, "prctl", "PR_SET_NO_NEW_PRIVS");
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0 ||
         fail(f, errno, "seccomp");
}

}  // namespace jubako::archive
