#include "tree_packer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "../sys/fd.h"
#include "metadata.h"
#include "name_list.h"
#include "names.h"

namespace jubako::archive {

namespace {

// XATTR_LIST_MAX and XATTR_SIZE_MAX.
constexpr size_t kMaxAttributes = size_t{64} << 10;
constexpr int kRead = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr const char* kOpaqueMark = "trusted.overlay.opaque";

bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

/** Attributes with which overlayfs says that a file is not all there. */
bool is_incomplete(std::string_view name) {
  return name == "trusted.overlay.metacopy" || name == "trusted.overlay.redirect";
}

}  // namespace

bool TreePacker::contents(int directory, std::string_view prefix) {
  path_.assign(prefix);
  if (!path_.empty()) path_.truncate(path_.size() - 1);
  return walk(directory);
}

bool TreePacker::member(int parent, const char* entry, std::string_view name) {
  path_.assign(name);
  return one(parent, entry, DT_UNKNOWN);
}

bool TreePacker::file(int file, std::string_view name) {
  path_.assign(name);
  fault_.at(path_.view());
  return regular(file);
}

bool TreePacker::walk(int directory) {
  // As deep as a layer may be when it is unpacked: every level holds a descriptor.
  if (depth_ == kMaxDepth) {
    fault_.at(path_.view());
    return fault_.limit({"directories are nested deeper than ", Decimal(kMaxDepth)});
  }
  depth_++;
  NameList names;
  fault_.at(path_.view());
  if (!names.read(directory, fault_)) return false;
  const size_t size = path_.size();
  for (size_t i = 0; i < names.size(); i++) {
    if (size > 0) path_.append("/");
    path_.append(std::string_view(names.name(i)));
    if (!one(directory, names.name(i), names.type(i))) return false;
    path_.truncate(size);
  }
  depth_--;
  return true;
}

bool TreePacker::one(int parent, const char* entry, uint8_t type) {
  fault_.at(path_.view());
  if (stop_.load(std::memory_order_relaxed)) return fault_.fail(FaultKind::kSystem, {"stopped"});
  if (path_.size() >= kMaxPath) return fault_.limit({"the name has more than 4095 bytes"});
  if (form_ == PackForm::kLayer && take(entry, 4) == ".wh.") {
    return fault_.fail(FaultKind::kUnsupported, {"a name that begins with .wh. would be a whiteout in a layer"});
  }
  if (type == DT_UNKNOWN) {
    struct stat info;
    if (fstatat(parent, entry, &info, AT_SYMLINK_NOFOLLOW) != 0) return gone("fstatat", errno);
    type = IFTODT(info.st_mode);
  }
  switch (type) {
    case DT_REG: {
      const Fd file(openat(parent, entry, kRead));
      return file ? regular(file.get()) : gone("openat", errno);
    }
    case DT_DIR: return directory(parent, entry);
    // A socket is nothing without the process that listens on it; tar has no type for it.
    case DT_SOCK: return true;
    default: return other(parent, entry);
  }
}

void TreePacker::describe(const struct stat& info, char type) {
  entry_.type = type;
  entry_.mode = info.st_mode & 07777;
  entry_.numbers = {};
  entry_.numbers.uid = info.st_uid;
  entry_.numbers.gid = info.st_gid;
  // What unpacking keeps of a time.
  if (info.st_mtim.tv_sec >= 0 && info.st_mtim.tv_sec <= INT64_MAX / 1'000'000'000) {
    entry_.numbers.mtime = info.st_mtim.tv_sec;
    entry_.numbers.mtime_ns = static_cast<uint32_t>(info.st_mtim.tv_nsec);
  }
  entry_.major = entry_.minor = 0;
  entry_.link.clear();
  entry_.xattrs.clear();
  entry_.name.assign(path_.view());
}

void TreePacker::emit() {
  writer_.header(entry_);
  entries_++;
}

bool TreePacker::hard_link(const struct stat& info) {
  if (info.st_nlink < 2) return false;
  const std::string_view first = links_.first_name(info, path_.view());
  if (first.empty()) return false;
  entry_.type = '1';
  entry_.link.assign(first);
  emit();
  return true;
}

bool TreePacker::regular(int file) {
  struct stat info;
  if (fstat(file, &info) != 0) return fault_.system("fstat", errno);
  if (!S_ISREG(info.st_mode)) return changed();
  describe(info, '0');
  if (hard_link(info)) return true;
  if (!attributes(file, false)) return false;
  entry_.numbers.size = static_cast<uint64_t>(info.st_size);
  emit();
  return data(file, entry_.numbers.size);
}

bool TreePacker::data(int file, uint64_t size) {
  uint64_t left = size;
  while (left > 0) {
    const Sink::Room room = sink_.room();
    const ssize_t count = read(file, room.data, left < room.size ? left : room.size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fault_.system("read", errno, {"the file cannot be read"});
    if (count == 0) {
      if (!tolerant_) return changed();
      // Somebody made it shorter after its header was written.
      sink_.zeros(left);
      break;
    }
    sink_.commit(static_cast<size_t>(count));
    left -= static_cast<uint64_t>(count);
    if (stop_.load(std::memory_order_relaxed)) return fault_.fail(FaultKind::kSystem, {"stopped"});
  }
  writer_.padding(size);
  bytes_ += size;
  return true;
}

bool TreePacker::directory(int parent, const char* entry) {
  const Fd opened(openat(parent, entry, kRead | O_DIRECTORY));
  struct stat info;
  if (!opened || fstat(opened.get(), &info) != 0) return gone("openat", errno);
  describe(info, '5');
  if (!attributes(opened.get(), true)) return false;
  entry_.name.append("/");
  emit();
  if (form_ == PackForm::kLayer && !opaque(opened.get())) return false;
  return walk(opened.get());
}

bool TreePacker::other(int parent, const char* entry) {
  struct stat info;
  if (fstatat(parent, entry, &info, AT_SYMLINK_NOFOLLOW) != 0) return gone("fstatat", errno);
  // In a tree that is a single layer it stands for nothing.
  if (is_whiteout(info)) return form_ == PackForm::kTree || whiteout(entry);
  if (S_ISSOCK(info.st_mode)) return true;
  if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) return changed();
  describe(info, S_ISLNK(info.st_mode) ? '2' : S_ISCHR(info.st_mode) ? '3' : S_ISBLK(info.st_mode) ? '4' : '6');
  if (hard_link(info)) return true;
  if (S_ISLNK(info.st_mode)) {
    char target[kMaxPath];
    const ssize_t size = readlinkat(parent, entry, target, sizeof target);
    if (size < 0) return gone("readlinkat", errno == EINVAL ? ENOENT : errno);
    entry_.link.assign({target, static_cast<size_t>(size)});
    // The kernel gives every symbolic link this mode; tools write it so.
    entry_.mode = 0777;
  } else if (!S_ISFIFO(info.st_mode)) {
    entry_.major = major(info.st_rdev);
    entry_.minor = minor(info.st_rdev);
  }
  emit();
  return true;
}

/** An empty file without owner or time: what removes has none, and unpacking keeps none (OCI image-spec, layer.md). */
bool TreePacker::whiteout(const char* entry) {
  const struct stat nothing = {};
  describe(nothing, '0');
  const std::string_view parent = parent_of(path_.view());
  entry_.name.assign(parent);
  if (!parent.empty()) entry_.name.append("/");
  entry_.name.append(".wh.");
  entry_.name.append(std::string_view(entry));
  emit();
  return true;
}

bool TreePacker::opaque(int directory) {
  char value[2];
  const ssize_t size = fgetxattr(directory, kOpaqueMark, value, sizeof value);
  if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ERANGE) return fault_.system("fgetxattr", errno);
  if (size != 1 || value[0] != 'y') return true;
  const struct stat nothing = {};
  describe(nothing, '0');
  entry_.name.append("/.wh..wh..opq");
  emit();
  return true;
}

bool TreePacker::attributes(int fd, bool is_directory) {
  names_.reserve(kMaxAttributes);
  const char* names = names_.data();
  const ssize_t size = flistxattr(fd, names_.data(), kMaxAttributes);
  if (size < 0) return errno == EOPNOTSUPP || fault_.system("flistxattr", errno);
  if (size == 0) return true;
  List<const char*> wanted;
  for (const char* name = names; name < names + size; name += std::strlen(name) + 1) {
    if (form_ == PackForm::kLayer && is_incomplete(name)) {
      return fault_.fail(FaultKind::kUnsupported,
                         {"the ", is_directory ? "directory" : "file", " is not whole in this layer (", name, ")"});
    }
    if (!xattr_allowed(name)) continue;
    if (std::strchr(name, '=') != nullptr) {
      return fault_.fail(FaultKind::kUnsupported, {"the attribute ", name, " cannot be in an archive"});
    }
    wanted.push(name);
  }
  std::sort(wanted.begin(), wanted.end(), [](const char* a, const char* b) { return std::strcmp(a, b) < 0; });
  value_.reserve(kMaxAttributes);
  for (const char* name : wanted) {
    const ssize_t length = fgetxattr(fd, name, value_.data(), kMaxAttributes);
    if (length < 0 && errno == ENODATA) continue;
    if (length < 0) return fault_.system("fgetxattr", errno, {"the attribute ", name, " cannot be read"});
    entry_.xattrs.set(name, {value_.data(), static_cast<size_t>(length)});
  }
  return true;
}

}  // namespace jubako::archive
