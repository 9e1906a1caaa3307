#include "path.h"

#include <sys/stat.h>

#include <cstring>

#include "../sys/linux.h"

namespace jubako {

namespace {

constexpr size_t kMaxPath = 4096;
constexpr uint64_t kInside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

bool is_special(const char* name, size_t size) {
  return (size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.');
}

// Makes directory `name` in `parent` if it is missing and opens it without following a link.
int make_directory(int parent, const char* name) {
  if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST) return -1;
  return sys::open_at2(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

// Walks the missing tail of `path` below the deepest part that exists. `last` says what the final component becomes.
int make_missing(int root, const char* path, Create last, Failure& f) {
  char buffer[kMaxPath];
  size_t length = strnlen(path, kMaxPath);
  if (length == kMaxPath) return fail(f, ENAMETOOLONG, "openat2", path), -1;
  memcpy(buffer, path, length + 1);
  while (length > 1 && buffer[length - 1] == '/') buffer[--length] = 0;
  size_t cut = length;
  Fd at;
  for (;;) {
    while (cut > 0 && buffer[cut - 1] != '/') cut--;
    char saved = buffer[cut];
    buffer[cut] = 0;
    at.reset(open_in_root(root, cut == 0 ? "/" : buffer, O_DIRECTORY));
    buffer[cut] = saved;
    if (at) break;
    if (errno != ENOENT || cut == 0) return fail(f, errno, "openat2", path), -1;
    while (cut > 0 && buffer[cut - 1] == '/') cut--;
  }
  char* name = buffer + cut;
  for (;;) {
    while (*name == '/') name++;
    char* end = strchr(name, '/');
    size_t size = end ? static_cast<size_t>(end - name) : strlen(name);
    bool is_last = !end;
    if (size == 0) return at.release();
    if (is_special(name, size)) return fail(f, EINVAL, "mkdirat", path), -1;
    if (end) *end = 0;
    Fd next;
    if (is_last && last == Create::kFile) {
      Fd file(openat(at.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
      if (!file && errno != EEXIST) return fail(f, errno, "openat", path), -1;
      next.reset(openat(at.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    } else {
      next.reset(make_directory(at.get(), name));
    }
    if (!next) return fail(f, errno, "mkdirat", path), -1;
    if (is_last) return next.release();
    at = std::move(next);
    name = end + 1;
  }
}

}  // namespace

int open_in_root(int root, const char* path, int flags) {
  return sys::open_at2(root, path, static_cast<uint64_t>(O_PATH | flags), kInside);
}

int open_target(int root, const char* path, Create create, Failure& f) {
  int fd = open_in_root(root, path);
  if (fd >= 0) return fd;
  if (errno != ENOENT || create == Create::kNothing) return fail(f, errno, "openat2", path), -1;
  return make_missing(root, path, create, f);
}

int open_parent(int root, const char* path, const char*& name, Failure& f) {
  const char* slash = strrchr(path, '/');
  name = slash ? slash + 1 : path;
  char buffer[kMaxPath];
  size_t length = slash ? static_cast<size_t>(slash - path) : 0;
  if (length >= kMaxPath) return fail(f, ENAMETOOLONG, "openat2", path), -1;
  memcpy(buffer, path, length);
  buffer[length] = 0;
  if (*name == 0 || is_special(name, strlen(name))) return fail(f, EINVAL, "openat2", path), -1;
  int fd = open_in_root(root, length == 0 ? "/" : buffer, O_DIRECTORY);
  if (fd < 0) return fail(f, errno, "openat2", path), -1;
  return fd;
}

int open_plain_directory(int root, const char* path, Failure& f) {
  constexpr uint64_t kPlain = kInside | RESOLVE_NO_SYMLINKS;
  int fd = sys::open_at2(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, kPlain);
  if (fd >= 0) return fd;
  if (errno == ENOENT) return make_missing(root, path, Create::kDirectory, f);
  return fail(f, errno == ELOOP ? ELOOP : errno, "openat2", path), -1;
}

}  // namespace jubako
