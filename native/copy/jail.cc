#include "jail.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../mount/filesystem.h"
#include "../sys/fd.h"
#include "../sys/linux.h"

namespace jubako::copy {

namespace {

constexpr uint32_t kKept = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER | 1U << CAP_FSETID |
                           1U << CAP_MKNOD | 1U << CAP_SETFCAP;

bool drop_capabilities(Failure& f) {
  for (int capability = 0; capability < 64; capability++) {
    if (capability < 32 && kKept >> capability & 1) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
      if (errno == EINVAL) break;
      return fail(f, errno, "prctl", "PR_CAPBSET_DROP");
    }
  }
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {};
  data[0].effective = data[0].permitted = kKept;
  return syscall(SYS_capset, &header, data) == 0 || fail(f, errno, "capset");
}

}  // namespace

bool unshare_mounts(Failure& f) {
  if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0) return fail(f, errno, "unshare");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return fail(f, errno, "mount", "/");
  // Two for each directory on the way to a file.
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  return true;
}

bool confine(Failure& f) {
  Fd empty(make_filesystem("tmpfs", "", Strings{}, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, f));
  if (!empty) return false;
  if (sys::move_mount(empty.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return fail(f, errno, "move_mount", "/");
  if (fchdir(empty.get()) < 0) return fail(f, errno, "fchdir");
  if (sys::pivot_root(".", ".") < 0) return fail(f, errno, "pivot_root");
  if (umount2(".", MNT_DETACH) < 0) return fail(f, errno, "umount2");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail(f, errno, "prctl", "PR_SET_NO_NEW_PRIVS");
  return drop_capabilities(f);
}

}  // namespace jubako::copy
