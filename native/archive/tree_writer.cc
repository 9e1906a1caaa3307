#include "tree_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../lib/remove_tree.h"
#include "../sys/fd.h"
#include "metadata.h"

namespace jubako::archive {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kMeta = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr uint64_t kMaxId = 0xfffffffe;
// dev_t of the kernel: 12 bits and 20 bits.
constexpr uint64_t kMaxMajor = 0xfff, kMaxMinor = 0xfffff;

bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

}  // namespace

bool TreeWriter::check(const Entry& entry) {
  if (entry.numbers.uid > kMaxId || entry.numbers.gid > kMaxId) {
    return fault_.malformed({"the owner's id is larger than 4294967294"});
  }
  if (entry.type == '3' || entry.type == '4') {
    if (entry.major > kMaxMajor || entry.minor > kMaxMinor) {
      return fault_.malformed({"the device number is larger than Linux has"});
    }
    if (entry.type == '3' && entry.major == 0 && entry.minor == 0) {
      return fault_.hostile({"a character device 0:0 would be taken for a whiteout"});
    }
  }
  if (entry.logical_size > limits_.max_bytes || logical_ + entry.logical_size > limits_.max_bytes) {
    return fault_.limit({"the files of the layer have more than ", Decimal(limits_.max_bytes), " bytes"});
  }
  logical_ += entry.logical_size;
  if (entry.sparse && entry.logical_size > largest_hole_) {
    largest_hole_ = entry.logical_size;
    largest_sparse_.assign(entry.name.view());
  }
  return true;
}

void TreeWriter::place(Text& path) {
  if (placement_.base.empty()) return;
  Text name;
  name.assign(path.view());
  path.assign(placement_.base);
  if (name.empty()) return;
  path.append("/");
  path.append(name.view());
}

bool TreeWriter::keeps(const struct stat& info, bool directory) {
  if (!placement_.keep_kinds || S_ISDIR(info.st_mode) == directory) return true;
  return directory ? fault_.fail(FaultKind::kUnsupported,
                                 {"cannot overwrite non-directory \"", path_.view(), "\" with directory"})
                   : fault_.fail(FaultKind::kUnsupported,
                                 {"cannot overwrite directory \"", path_.view(), "\" with non-directory"});
}

bool TreeWriter::write(Entry& entry) {
  entries_++;
  if (!placement_.owners) entry.numbers.uid = entry.numbers.gid = 0;
  if (!check(entry)) return false;
  std::string_view path;
  if (barriers_.beneath) {
    if (!clean_name(entry.name.view(), path_, "the name", fault_)) return false;
    place(path_);
    path = path_.view();
  } else {
    path = entry.name.view();
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  }
  if (path == placement_.base || path == ".") {
    // The root directory belongs to the container, not to a layer, whatever the archive says it is: Docker leaves it
    // as it is too.
    return true;
  }
  const std::string_view base = base_of(path);
  if (base == ".." && barriers_.beneath) return fault_.hostile({"the name leads out of the layer"});
  name_.assign(base);
  const int parent = directories_.open(parent_of(path));
  if (parent < 0) return false;
  if (placement_.layer && take(base, kWhiteout.size()) == kWhiteout)
    return whiteout(entry, parent, drop(base, kWhiteout.size()));
  switch (entry.type) {
    case '0': return regular(entry, parent);
    case '1': return hard_link(entry, parent);
    case '2': return symlink(entry, parent);
    case '3':
    case '4':
    case '6': return special(entry, parent);
    case '5': return directory(entry, parent);
    default: {
      const char type[1] = {entry.type};
      return fault_.fail(FaultKind::kUnsupported, {"entries of type '", {type, 1}, "' are not supported"});
    }
  }
}

bool TreeWriter::whiteout(const Entry& entry, int parent, std::string_view target) {
  if (name_.view() == kOpaque) {
    const Fd directory(openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return fault_.system("openat", errno);
    return marks_.mark(directory.get(), fault_);
  }
  // Housekeeping of AUFS that old builders left in layers.
  if (take(name_.view(), kMeta.size()) == kMeta) return true;
  if (target.empty() || target == "." || target == "..") return fault_.hostile({"a whiteout of no name"});
  Text name;
  name.assign(target);
  if (mknodat(parent, name.c_str(), S_IFCHR, 0) != 0) {
    if (errno != EEXIST) return fault_.system("mknodat", errno, {"the whiteout cannot be made"});
    // The layer has something of that name, which hides a file below by itself. A directory would be merged: it
    // becomes opaque (OCI image-spec, layer.md, "Whiteouts").
    const Fd directory(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return !directory || marks_.mark(directory.get(), fault_);
  }
  const Numbers& numbers = entry.numbers;
  if ((numbers.uid | numbers.gid) == 0) return true;
  const auto uid = static_cast<uid_t>(numbers.uid);
  const auto gid = static_cast<gid_t>(numbers.gid);
  return fchownat(parent, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) == 0 || fault_.system("fchownat", errno);
}

bool TreeWriter::clear(int parent, bool* was_whiteout) {
  struct stat info;
  if (fstatat(parent, name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return fault_.system("fstatat", errno);
  if (was_whiteout != nullptr) *was_whiteout = placement_.layer && is_whiteout(info);
  if (was_whiteout == nullptr && !keeps(info, false)) return false;
  if (!S_ISDIR(info.st_mode)) {
    if (unlinkat(parent, name_.c_str(), 0) != 0) return fault_.system("unlinkat", errno);
    // A link that other members were placed through may be gone.
    if (S_ISLNK(info.st_mode)) directories_.forget();
    return true;
  }
  Failure failure;
  const bool removed = remove_tree_at(parent, name_.c_str(), failure);
  directories_.implicit().remove_tree(path_.view());
  directories_.forget();
  return removed || fault_.system("unlinkat", failure.errnum, {"an earlier directory of that name cannot be removed"});
}

bool TreeWriter::regular(const Entry& entry, int parent) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd file(openat(parent, name_.c_str(), kFlags, entry.mode));
  if (!file && errno == EEXIST) {
    if (!clear(parent, nullptr)) return false;
    parent = directories_.open(parent_of(path_.view()));
    if (parent < 0) return false;
    file.reset(openat(parent, name_.c_str(), kFlags, entry.mode));
  }
  if (!file) return fault_.system("openat", errno, {"the file cannot be made"});
  if (!contents(entry, file.get())) return false;
  return file_metadata(file.get(), entry, fault_);
}

bool TreeWriter::contents(const Entry& entry, int fd) {
  if (!entry.sparse) {
    for (Span data = reader_.read(); data.size > 0; data = reader_.read()) {
      if (!piece(fd, data, 0, false)) return false;
    }
    return !fault_.set();
  }
  size_t index = 0;
  uint64_t done = 0;
  for (Span data = reader_.read(); data.size > 0; data = reader_.read()) {
    while (data.size > 0) {
      const Extent& extent = entry.extents[index];
      const uint64_t left = extent.size - done;
      if (left == 0) {
        index++;
        done = 0;
        continue;
      }
      const size_t size = data.size < left ? data.size : static_cast<size_t>(left);
      if (!piece(fd, {data.data, size}, extent.offset + done, true)) return false;
      done += size;
      data = {data.data + size, data.size - size};
    }
  }
  if (fault_.set()) return false;
  return ftruncate(fd, static_cast<off_t>(entry.logical_size)) == 0 || fault_.system("ftruncate", errno);
}

bool TreeWriter::piece(int fd, Span data, uint64_t offset, bool positioned) {
  while (data.size > 0) {
    const ssize_t count =
        positioned ? pwrite(fd, data.data, data.size, static_cast<off_t>(offset)) : ::write(fd, data.data, data.size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fault_.system("write", errno, {"the file cannot be written"});
    data = {data.data + count, data.size - static_cast<size_t>(count)};
    offset += static_cast<uint64_t>(count);
  }
  return true;
}

bool TreeWriter::directory(const Entry& entry, int parent) {
  bool opaque = false;
  // Without the special bits: they would be inherited by what is made inside. DirectoryLog sets the mode at the end.
  const mode_t mode = entry.mode & 0777;
  if (mkdirat(parent, name_.c_str(), mode) != 0) {
    if (errno != EEXIST) return fault_.system("mkdirat", errno, {"the directory cannot be made"});
    struct stat info;
    if (fstatat(parent, name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return fault_.system("fstatat", errno);
    if (!S_ISDIR(info.st_mode)) {
      if (!keeps(info, true) || !clear(parent, &opaque)) return false;
      parent = directories_.open(parent_of(path_.view()));
      if (parent < 0) return false;
      if (mkdirat(parent, name_.c_str(), mode) != 0) return fault_.system("mkdirat", errno);
    }
  }
  struct stat info;
  if (fstatat(parent, name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return fault_.system("fstatat", errno);
  if (opaque) {
    const Fd made(openat(parent, name_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made) return fault_.system("openat", errno);
    if (!marks_.mark(made.get(), fault_)) return false;
  }
  const std::string_view path = barriers_.beneath ? path_.view() : entry.name.view();
  directories_.implicit().remove(path);
  return log_.explicitly(path, info.st_ino, entry);
}

bool TreeWriter::symlink(const Entry& entry, int parent) {
  target_.assign(entry.link.view());
  if (target_.empty()) return fault_.malformed({"the symbolic link has no target"});
  if (target_.size() >= kMaxPath) return fault_.limit({"the target of the symbolic link has more than 4095 bytes"});
  if (symlinkat(target_.c_str(), parent, name_.c_str()) != 0) {
    if (errno != EEXIST) return fault_.system("symlinkat", errno, {"the symbolic link cannot be made"});
    if (!clear(parent, nullptr)) return false;
    parent = directories_.open(parent_of(path_.view()));
    if (parent < 0) return false;
    if (symlinkat(target_.c_str(), parent, name_.c_str()) != 0) return fault_.system("symlinkat", errno);
  }
  return name_metadata(parent, name_.c_str(), entry, fault_);
}

bool TreeWriter::special(const Entry& entry, int parent) {
  const mode_t type = entry.type == '3' ? S_IFCHR : entry.type == '4' ? S_IFBLK : S_IFIFO;
  const dev_t device =
      entry.type == '6' ? 0 : makedev(static_cast<unsigned>(entry.major), static_cast<unsigned>(entry.minor));
  if (mknodat(parent, name_.c_str(), type | entry.mode, device) != 0) {
    if (errno != EEXIST) return fault_.system("mknodat", errno, {"the device or fifo cannot be made"});
    if (!clear(parent, nullptr)) return false;
    parent = directories_.open(parent_of(path_.view()));
    if (parent < 0) return false;
    if (mknodat(parent, name_.c_str(), type | entry.mode, device) != 0) return fault_.system("mknodat", errno);
  }
  return name_metadata(parent, name_.c_str(), entry, fault_);
}

bool TreeWriter::hard_link(const Entry& entry, int parent) {
  std::string_view target = entry.link.view();
  if (barriers_.beneath) {
    if (!clean_name(target, target_, "the target of the hard link", fault_)) return false;
    place(target_);
    target = target_.view();
  }
  if (target.empty()) return fault_.malformed({"the hard link has no target"});
  if (target == path_.view()) return fault_.malformed({"the hard link is its own target"});
  Text target_name;
  target_name.assign(base_of(target));
  for (int attempt = 0; attempt < 2; attempt++) {
    // Not through Directories::open: a missing directory must not be made, and `parent` must stay open.
    const Fd from(directories_.find(parent_of(target), O_PATH | O_DIRECTORY));
    if (from && linkat(from.get(), target_name.c_str(), parent, name_.c_str(), 0) == 0) {
      return linked_metadata(parent, name_.c_str(), entry, fault_);
    }
    if (from && errno == EEXIST && attempt == 0) {
      if (!clear(parent, nullptr)) return false;
      parent = directories_.open(parent_of(path_.view()));
      if (parent < 0) return false;
      continue;
    }
    if (errno == ENOENT || errno == ENOTDIR) {
      return fault_.malformed({"the target of the hard link, ", target, ", is not in the layer"});
    }
    if (errno == EPERM) return fault_.malformed({"the target of the hard link, ", target, ", is a directory"});
    break;
  }
  return fault_.system("linkat", errno, {"the hard link to ", target, " cannot be made"});
}

bool TreeWriter::finish(uint64_t compressed) {
  directories_.forget();
  if (limits_.ratio_exceeded(logical_, compressed)) {
    fault_.at(largest_sparse_.view());
    return fault_.limit({"with their holes the files have more than ", Decimal(limits_.max_ratio),
                         " times the layer's compressed size"});
  }
  return log_.replay([this](const DirectoryLog::Record& record) {
    const Fd directory(directories_.find(record.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    struct stat info;
    // Removed again by a later member, and perhaps replaced.
    if (!directory || fstat(directory.get(), &info) != 0 || info.st_ino != record.inode) return true;
    fault_.at(record.path);
    return directory_metadata(directory.get(), info, record, fault_);
  });
}

}  // namespace jubako::archive
