#include "kernel_settings.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "../sys/fd.h"
#include "../sys/linux.h"

namespace jubako {

bool raise_loopback(Failure& f) {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(f, errno, "socket", "lo");
  struct ifreq request = {};
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0 || fail(f, errno, "ioctl", "SIOCSIFFLAGS lo");
}

bool set_sysctl(const char* key, const char* value, Failure& f) {
  Fd context(sys::fs_open("proc"));
  if (!context || sys::fs_config(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0)
    return fail(f, errno, "fsopen", "proc");
  Fd proc(sys::fs_mount(context.get(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!proc) return fail(f, errno, "fsmount", "proc");
  Fd folder(sys::open_at2(proc.get(), "sys", O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  if (!folder) return fail(f, errno, "openat2", "/proc/sys");
  constexpr uint64_t kResolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  Fd file(sys::open_at2(folder.get(), key, O_WRONLY | O_NOFOLLOW, kResolve));
  if (!file) return fail(f, errno, "openat2", key);
  size_t size = strlen(value);
  return write(file.get(), value, size) == static_cast<ssize_t>(size) || fail(f, errno, "write", key);
}

}  // namespace jubako
