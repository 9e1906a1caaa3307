#include "pty.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "../sys/linux.h"

namespace jubako {

bool set_window_size(int terminal, uint32_t rows, uint32_t columns) {
  struct winsize size = {};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  return ioctl(terminal, TIOCSWINSZ, &size) == 0;
}

bool open_pty(int root, uint32_t rows, uint32_t columns, Pty& pty, Failure& f) {
  static const char kPath[] = "/dev/pts/ptmx";
  constexpr uint64_t kResolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  // First without side effects: opening an arbitrary device could block or act.
  Fd node(sys::open_at2(root, kPath, O_PATH | O_NOFOLLOW, kResolve));
  if (!node) return fail(f, errno, "openat2", kPath);
  struct stat info;
  struct statfs fs;
  if (fstat(node.get(), &info) < 0 || fstatfs(node.get(), &fs) < 0) return fail(f, errno, "fstat", kPath);
  if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(5, 2) || fs.f_type != DEVPTS_SUPER_MAGIC)
    return fail(f, ENODEV, "fstat", kPath);
  Fd folder(sys::open_at2(root, "/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW, kResolve));
  if (!folder) return fail(f, errno, "openat2", "/dev/pts");
  pty.master.reset(openat(folder.get(), "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC));
  struct stat opened;
  if (!pty.master || fstat(pty.master.get(), &opened) < 0) return fail(f, errno, "openat", kPath);
  if (opened.st_dev != info.st_dev || opened.st_ino != info.st_ino) return fail(f, ENODEV, "openat", kPath);
  int unlock = 0;
  if (ioctl(pty.master.get(), TIOCSPTLCK, &unlock) < 0) return fail(f, errno, "ioctl", "TIOCSPTLCK");
  pty.slave.reset(ioctl(pty.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pty.slave) return fail(f, errno, "ioctl", "TIOCGPTPEER");
  if (rows && columns) set_window_size(pty.master.get(), rows, columns);
  return true;
}

bool send_fds(int socket, int first, int second) {
  char byte = 'T';
  struct iovec data = {&byte, 1};
  alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
  struct msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(2 * sizeof(int));
  int fds[2] = {first, second};
  memcpy(CMSG_DATA(header), fds, sizeof fds);
  return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

}  // namespace jubako
