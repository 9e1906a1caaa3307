#include "directories.h"

#include <errno.h>
#include <sys/stat.h>

#include "../sys/fd.h"
#include "../sys/linux.h"

namespace jubako::archive {

namespace {

// Names of directories without an entry are kept in memory and reported.
constexpr size_t kMaxImplicitBytes = size_t{8} << 20;

bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

}  // namespace

int Directories::find(std::string_view path, int flags) const {
  Text text;
  text.assign(path.empty() ? std::string_view(".") : path);
  if (!barriers_.beneath) return openat(root_, text.c_str(), flags | O_CLOEXEC);
  // RESOLVE_IN_ROOT and not RESOLVE_BENEATH: an absolute symbolic link that the archive itself made means the root of
  // the container, as everywhere in a container.
  // A tree that is used may have mounts; a layer has none.
  const uint64_t resolve =
      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (placement_.layer ? static_cast<uint64_t>(RESOLVE_NO_XDEV) : 0U);
  for (int attempt = 0;; attempt++) {
    const int fd = sys::open_at2(root_, text.c_str(), static_cast<uint64_t>(flags), resolve);
    // openat2(2): EAGAIN says that a rename elsewhere on the system made a ".." uncertain.
    if (fd >= 0 || errno != EAGAIN || attempt == 32) return fd;
  }
}

void Directories::forget() {
  for (auto& set : slots_) {
    for (Slot& slot : set) {
      if (slot.fd >= 0) ::close(slot.fd);
      slot.fd = -1;
    }
  }
  last_ = nullptr;
}

Directories::Slot* Directories::lookup(std::string_view path, uint64_t hash) {
  for (Slot& slot : slots_[hash % kSets]) {
    if (slot.fd >= 0 && slot.hash == hash && slot.path.view() == path) return &slot;
  }
  return nullptr;
}

int Directories::open(std::string_view path) {
  if (path.empty()) return root_;
  if (last_ != nullptr && last_->path.view() == path) return last_->fd;
  const uint64_t hash = hash_of(path);
  Slot* slot = lookup(path, hash);
  if (slot == nullptr) {
    const int fd = make(path);
    if (fd < 0) return -1;
    slot = &slots_[hash % kSets][0];
    for (Slot& other : slots_[hash % kSets]) {
      if (other.fd < 0 || (slot->fd >= 0 && other.used < slot->used)) slot = &other;
    }
    if (slot->fd >= 0) ::close(slot->fd);
    slot->fd = fd;
    slot->hash = hash;
    slot->path.assign(path);
  }
  slot->used = ++clock_;
  last_ = slot;
  return slot->fd;
}

int Directories::make(std::string_view path) {
  int fd = find(path, O_PATH | O_DIRECTORY);
  for (int attempt = 0; fd < 0 && attempt < 2; attempt++) {
    if (errno != ENOENT && errno != ENOTDIR) break;
    // The deepest part that exists is found first, then every component below it is made in turn.
    size_t end = 0;
    Fd parent(dup(root_));
    if (!parent) break;
    while (end < path.size()) {
      size_t next = path.find('/', end + 1);
      if (next == std::string_view::npos) next = path.size();
      const std::string_view prefix = take(path, next);
      int step = find(prefix, O_PATH | O_DIRECTORY);
      if (step < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        if (!make_component(parent.get(), prefix)) return -1;
        step = find(prefix, O_PATH | O_DIRECTORY);
      }
      if (step < 0) {
        const int error = errno;
        if (error == ENOENT) {
          fault_.malformed({"the parent directory ", prefix, " is a symbolic link that leads nowhere"});
        } else {
          fault_.system("openat2", error, {"the parent directory ", prefix, " cannot be opened"});
        }
        return -1;
      }
      parent.reset(step);
      end = next;
    }
    fd = parent.release();
  }
  if (fd < 0) {
    if (errno == ELOOP || errno == EXDEV) {
      fault_.hostile({"the parent directory leads through links that do not stay in the layer"});
    } else {
      fault_.system("openat2", errno, {"the parent directory cannot be opened"});
    }
  }
  return fd;
}

/** Makes the last component of `path` in `parent`. A whiteout gives way to a directory that hides what was below. */
bool Directories::make_component(int parent, std::string_view path) {
  Text name;
  name.assign(base_of(path));
  if (!reader_.count()) return false;
  bool opaque = false;
  if (mkdirat(parent, name.c_str(), 0755) != 0) {
    if (errno != EEXIST) return fault_.system("mkdirat", errno, {"the parent directory ", path, " cannot be made"});
    struct stat info;
    if (fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return fault_.system("fstatat", errno);
    // A link that leads nowhere: whoever opens it next finds out.
    if (S_ISLNK(info.st_mode)) return true;
    if (!is_whiteout(info)) return fault_.malformed({"the parent ", path, " is not a directory"});
    if (unlinkat(parent, name.c_str(), 0) != 0) return fault_.system("unlinkat", errno);
    if (mkdirat(parent, name.c_str(), 0755) != 0) return fault_.system("mkdirat", errno);
    opaque = true;
  }
  Fd made(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info;
  if (!made || fstat(made.get(), &info) != 0) return fault_.system("openat", errno);
  if (opaque && !marks_.mark(made.get(), fault_)) return false;
  implicit_.add(path);
  if (implicit_.bytes() > kMaxImplicitBytes) {
    return fault_.limit({"too many directories have no entry of their own"});
  }
  return log_.implicitly(path, info.st_ino);
}

}  // namespace jubako::archive
