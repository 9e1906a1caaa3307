#include "populate.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "../sys/fd.h"
#include "../sys/files.h"
#include "../sys/linux.h"

namespace jubako {

namespace {

// Three descriptors a level: well below the usual limit of 1024.
constexpr int kMaxDepth = 250;
constexpr uint64_t kHere = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

bool is_dots(const char* name) { return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])); }

int open_directory(int parent, const char* name) {
  return sys::open_at2(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, kHere);
}

// Only what means the same elsewhere; overlay's own marks and security labels stay where they are.
bool is_portable(const char* name) {
  return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
         strncmp(name, "system.posix_acl_", 17) == 0;
}

void copy_attributes(int from, int to) {
  char names[4096];
  const ssize_t size = flistxattr(from, names, sizeof names);
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(strlen(names + at)) + 1) {
    if (!is_portable(names + at)) continue;
    static char value[65536];
    const ssize_t length = fgetxattr(from, names + at, value, sizeof value);
    // A file system without them keeps the content.
    if (length >= 0) (void)fsetxattr(to, names + at, value, static_cast<size_t>(length), 0);
  }
}

// The owner first: changing it takes the set-id bits and the capability away.
bool copy_metadata(int from, int to, const struct stat& info, const char* name, Failure& f) {
  if (fchown(to, info.st_uid, info.st_gid) < 0) return fail(f, errno, "fchown", name);
  if (fchmod(to, info.st_mode & 07777) < 0) return fail(f, errno, "fchmod", name);
  copy_attributes(from, to);
  const struct timespec times[2] = {info.st_atim, info.st_mtim};
  return futimens(to, times) == 0 || fail(f, errno, "utimensat", name);
}

bool copy_bytes(int from, int to, const char* name, Failure& f) {
  bool by_kernel = true;
  for (;;) {
    static char buffer[65536];
    ssize_t n = by_kernel ? copy_file_range(from, nullptr, to, nullptr, size_t{1} << 30, 0) : -1;
    if (by_kernel && n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
      by_kernel = false;
    }
    if (!by_kernel) {
      n = read(from, buffer, sizeof buffer);
      for (ssize_t done = 0; done < n;) {
        const ssize_t written = write(to, buffer + done, static_cast<size_t>(n - done));
        if (written < 0) return fail(f, errno, "write", name);
        done += written;
      }
    }
    if (n == 0) return true;
    if (n < 0) return fail(f, errno, by_kernel ? "copy_file_range" : "read", name);
  }
}

class Copier {
 public:
  Copier(bool again, Failure& f) : again_(again), failure_(f) {}

  bool directory(int from, int to, int depth) {
    if (depth > kMaxDepth) return fail(failure_, ENAMETOOLONG, "openat2", "volume");
    DIR* stream = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 0));
    if (!stream) return fail(failure_, errno, "fdopendir");
    bool ok = true;
    while (ok) {
      errno = 0;
      const dirent* entry = readdir(stream);
      if (!entry) {
        if (errno) ok = fail(failure_, errno, "getdents64");
        break;
      }
      if (!is_dots(entry->d_name)) ok = copy(from, to, entry->d_name, depth);
    }
    closedir(stream);
    return ok;
  }

 private:
  bool copy(int from, int to, const char* name, int depth) {
    struct stat info;
    if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return fail(failure_, errno, "fstatat", name);
    switch (info.st_mode & S_IFMT) {
      case S_IFDIR: return subdirectory(from, to, name, depth);
      case S_IFREG: return file(from, to, name);
      case S_IFLNK: return link(from, to, name, info);
      default: return node(to, name, info);
    }
  }

  // Makes something that must not exist; after a crash what the last attempt left is replaced.
  template <typename Make>
  bool make(int to, const char* name, const char* what, Make&& act) {
    if (act() == 0) return true;
    if (errno == EEXIST && again_ && unlinkat(to, name, 0) == 0 && act() == 0) return true;
    return fail(failure_, errno, what, name);
  }

  bool subdirectory(int from, int to, const char* name, int depth) {
    Fd source(open_directory(from, name));
    // What is mounted in the image's directory is not of the image.
    if (!source && errno == EXDEV) return true;
    if (!source) return fail(failure_, errno, "openat2", name);
    struct stat info;
    if (fstat(source.get(), &info) < 0) return fail(failure_, errno, "fstat", name);
    if (mkdirat(to, name, 0700) < 0 && !(errno == EEXIST && again_)) return fail(failure_, errno, "mkdirat", name);
    Fd target(open_directory(to, name));
    if (!target) return fail(failure_, errno, "openat2", name);
    return directory(source.get(), target.get(), depth + 1) &&
           copy_metadata(source.get(), target.get(), info, name, failure_);
  }

  bool file(int from, int to, const char* name) {
    Fd source(sys::open_at2(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, kHere));
    if (!source && errno == EXDEV) return true;
    if (!source) return fail(failure_, errno, "openat2", name);
    struct stat info;
    if (fstat(source.get(), &info) < 0) return fail(failure_, errno, "fstat", name);
    if (!S_ISREG(info.st_mode)) return fail(failure_, ESTALE, "openat2", name);
    Fd target;
    const bool made = make(to, name, "openat", [&] {
      target.reset(openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      return target ? 0 : -1;
    });
    return made && copy_bytes(source.get(), target.get(), name, failure_) &&
           copy_metadata(source.get(), target.get(), info, name, failure_);
  }

  bool link(int from, int to, const char* name, const struct stat& info) {
    static char text[4096];
    const ssize_t size = readlinkat(from, name, text, sizeof text - 1);
    if (size < 0) return fail(failure_, errno, "readlinkat", name);
    text[size] = 0;
    if (!make(to, name, "symlinkat", [&] { return symlinkat(text, to, name); })) return false;
    const struct timespec times[2] = {info.st_atim, info.st_mtim};
    (void)utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
    return fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) == 0 ||
           fail(failure_, errno, "fchownat", name);
  }

  bool node(int to, const char* name, const struct stat& info) {
    if (!make(to, name, "mknodat", [&] { return mknodat(to, name, info.st_mode, info.st_rdev); })) return false;
    return fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) == 0 ||
           fail(failure_, errno, "fchownat", name);
  }

  bool again_;
  Failure& failure_;
};

bool is_empty(int directory, bool& empty, Failure& f) {
  DIR* stream = fdopendir(fcntl(directory, F_DUPFD_CLOEXEC, 0));
  if (!stream) return fail(f, errno, "fdopendir");
  rewinddir(stream);
  empty = true;
  while (const dirent* entry = readdir(stream)) {
    if (!is_dots(entry->d_name)) {
      empty = false;
      break;
    }
  }
  rewinddir(stream);
  closedir(stream);
  return true;
}

bool copy_all(int from, int to, bool again, Failure& f) {
  struct stat info;
  if (fstat(from, &info) < 0) return fail(f, errno, "fstat", "volume");
  const mode_t mask = umask(0);
  const bool ok = Copier(again, f).directory(from, to, 0) && copy_metadata(from, to, info, "volume", f);
  umask(mask);
  return ok;
}

}  // namespace

bool populate_volume(int from, int to, const char* marker, Failure& f) {
  Fd source(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Fd target(openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A file has no content to share out.
  if (!source || !target) return errno == ENOTDIR || fail(f, errno, "openat", "volume");
  // Two containers that start at the same time: the second waits until the volume is whole.
  while (flock(target.get(), LOCK_EX) < 0) {
    if (errno != EINTR) return fail(f, errno, "flock", "volume");
  }
  struct stat info;
  const bool again = *marker && sys::stat_path(marker, &info) == 0;
  bool empty = false;
  if (!is_empty(target.get(), empty, f)) return false;
  if (!empty && !again) return true;
  bool nothing = false;
  if (!is_empty(source.get(), nothing, f)) return false;
  if (nothing || !*marker) return copy_all(source.get(), target.get(), again, f);
  Fd mark(sys::open_file(marker, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600));
  if (!mark) return fail(f, errno, "open", marker);
  if (!copy_all(source.get(), target.get(), again, f)) return false;
  if (syncfs(target.get()) < 0) return fail(f, errno, "syncfs", "volume");
  return sys::remove_file(marker) == 0 || fail(f, errno, "unlink", marker);
}

}  // namespace jubako
