#include "plain.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "../sys/fd.h"
#include "../sys/linux.h"
#include "name_list.h"

namespace jubako::archive {

namespace {

constexpr uint64_t kInside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
constexpr size_t kPart = 256 * 1024;

bool write_all(int fd, const char* data, size_t size) {
  while (size) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

struct Head {
  uint64_t size;
  int64_t seconds;
  uint32_t nanoseconds, mode, name_size;
};

bool send_entry(int directory, const char* name, int stream, Fault& fault) {
  struct stat info;
  if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || fault.system("newfstatat", errno);
  const size_t size = strlen(name);
  char record[sizeof(Head) + 256];
  const Head head = {static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec,
                     static_cast<uint32_t>(info.st_mtim.tv_nsec), info.st_mode, static_cast<uint32_t>(size)};
  // Without the padding at the end.
  constexpr size_t kHead = offsetof(Head, name_size) + sizeof head.name_size;
  memcpy(record, &head, kHead);
  memcpy(record + kHead, name, size);
  return write_all(stream, record, kHead + size) || fault.system("write", errno);
}

}  // namespace

bool read_file(int root, const char* path, int stream, uint64_t& size, Fault& fault) {
  fault.at(path);
  // Not waiting for the other end of a pipe that a container made.
  const Fd fd(sys::open_at2(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, kInside));
  struct stat info;
  if (!fd || fstat(fd.get(), &info) < 0) return fault.system("openat2", errno);
  if (!S_ISREG(info.st_mode)) return fault.system("read", S_ISDIR(info.st_mode) ? EISDIR : EINVAL);
  static char part[kPart];
  size = 0;
  for (;;) {
    ssize_t n = read(fd.get(), part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fault.system("read", errno);
    if (n == 0) return true;
    if (!write_all(stream, part, static_cast<size_t>(n))) return fault.system("write", errno);
    size += static_cast<uint64_t>(n);
  }
}

bool list_directory(int root, const char* path, int stream, uint64_t& count, Fault& fault) {
  fault.at(path);
  const Fd fd(sys::open_at2(root, path, O_RDONLY | O_DIRECTORY, kInside));
  if (!fd) return fault.system("openat2", errno);
  NameList names;
  if (!names.read(fd.get(), fault)) return false;
  for (size_t i = 0; i < names.size(); i++) {
    if (!send_entry(fd.get(), names.name(i), stream, fault)) return false;
  }
  count = names.size();
  return true;
}

}  // namespace jubako::archive
