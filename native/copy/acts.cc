#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "../sys/fd.h"
#include "../sys/linux.h"
#include "directory_names.h"
#include "paths.h"
#include "walk.h"

namespace jubako::copy {

using archive::drop;
using archive::Fault;
using archive::FaultKind;
using archive::Text;

bool make_target(const Request& request, int target, Fault& fault) {
  Owner owner;
  if (!resolve_owner(target, request.owner, owner, fault)) return false;
  Fd made(open_directories(target, request.target, owner, fault));
  return static_cast<bool>(made);
}

bool read_file(const Request& request, int root, Text& contents, Fault& fault) {
  Strings sources = request.sources;
  const char* path = sources.next();
  fault.at(path);
  Fd fd(sys::open_at2(root, path, O_RDONLY | O_NONBLOCK, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
  struct stat info;
  if (!fd || fstat(fd.get(), &info) < 0) return fault.system("openat2", errno);
  if (!S_ISREG(info.st_mode)) return fault.fail(FaultKind::kUnsupported, {"is no regular file"});
  if (info.st_size > 512 * 1024) return fault.limit({"is too large: 512 KiB at most"});
  char buffer[16 * 1024];
  ssize_t n;
  while ((n = read(fd.get(), buffer, sizeof buffer)) > 0 && contents.size() <= 512 * 1024)
    contents.append(std::string_view(buffer, static_cast<size_t>(n)));
  return n >= 0 || fault.system("read", errno);
}

bool clamp_times(int root, uint64_t latest, Fault& fault) {
  Names names;
  if (!names.read(root)) return fault.system("getdents64", errno);
  struct timespec times[2] = {{static_cast<time_t>(latest), 0}, {static_cast<time_t>(latest), 0}};
  for (char* name : names.list) {
    struct stat info;
    fault.at(name);
    if (fstatat(root, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return fault.system("newfstatat", errno);
    if (S_ISDIR(info.st_mode)) {
      Fd below(openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!below) return fault.system("openat", errno);
      if (!clamp_times(below.get(), latest, fault)) return false;
    }
    if (static_cast<uint64_t>(info.st_mtim.tv_sec) >= latest && utimensat(root, name, times, AT_SYMLINK_NOFOLLOW) < 0)
      return fault.system("utimensat", errno);
  }
  struct stat info;
  if (fstat(root, &info) < 0) return fault.system("fstat", errno);
  if (static_cast<uint64_t>(info.st_mtim.tv_sec) >= latest && futimens(root, times) < 0)
    return fault.system("futimens", errno);
  return true;
}

namespace {

constexpr size_t kWindow = size_t{1} << 20;

struct Search {
  Bytes wanted;
  // One window, and before it the end of the last one.
  char* buffer;
  Text path;
};

// 1: it is in there. -1: errno.
int search_file(int fd, const Search& search) {
  size_t kept = 0;
  for (;;) {
    const ssize_t n = read(fd, search.buffer + kept, kWindow);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return static_cast<int>(n);
    const size_t size = kept + static_cast<size_t>(n);
    if (memmem(search.buffer, size, search.wanted.data, search.wanted.size) != nullptr) return 1;
    kept = size < search.wanted.size ? size : search.wanted.size - 1;
    memmove(search.buffer, search.buffer + size - kept, kept);
  }
}

// 1: found, `path` says where. 0: not here. -1: the fault says why.
int search_directory(int directory, Search& search, Fault& fault) {
  Names names;
  if (!names.read(directory)) return fault.system("getdents64", errno), -1;
  const size_t length = search.path.size();
  for (char* name : names.list) {
    search.path.truncate(length);
    search.path.append("/");
    search.path.append(name);
    fault.at(search.path.view());
    struct stat info;
    if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return fault.system("newfstatat", errno), -1;
    if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) continue;
    Fd fd(openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return fault.system("openat", errno), -1;
    const int found = S_ISDIR(info.st_mode) ? search_directory(fd.get(), search, fault) : search_file(fd.get(), search);
    if (found < 0 && S_ISREG(info.st_mode)) return fault.system("read", errno), -1;
    if (found != 0) return found;
  }
  search.path.truncate(length);
  return 0;
}

}  // namespace

bool search(Bytes wanted, int root, Text& path, Fault& fault) {
  if (wanted.size == 0) return true;
  Search search = {wanted, static_cast<char*>(std::malloc(kWindow + wanted.size)), {}};
  if (search.buffer == nullptr) return fault.system("malloc", ENOMEM);
  const int found = search_directory(root, search, fault);
  std::free(search.buffer);
  if (found > 0) path.assign(search.path.view());
  return found >= 0;
}

}  // namespace jubako::copy
