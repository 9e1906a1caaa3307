#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "../lib/remove_tree.h"
#include "../mount/path.h"
#include "../sys/fd.h"
#include "../sys/linux.h"
#include "directory_names.h"
#include "file_job.h"

namespace jubako::copy {

using archive::drop;
using archive::FaultKind;
using archive::take;
using archive::Text;

namespace {

constexpr uint64_t kMaxEntries = 20'000'000;

}  // namespace

bool Tree::prepare() { return target_ < 0 || resolve_owner(target_, request_.owner, owner_, fault_); }

bool Tree::finish(bool ok) {
  pool_.drain();
  if (ok && !shared_.failed()) ok = links_.link_all(fault_);
  links_.release_all();
  if (!ok || shared_.failed()) return false;
  if (target_ < 0) digest_.finish(result_.digest);
  return true;
}

bool Tree::directory(Text& path, const struct stat& info) {
  fault_.at(path.view());
  Directory* top = make_directory(nullptr, meta_of(info));
  top->source = open_source_directory(path.empty() ? "/" : path.c_str());
  top->shown = true;
  top->given = true;
  bool ok = top->source >= 0 || fault_.system("openat2", errno);
  if (ok && target_ >= 0) {
    top->target = open_target_directory(request_.target);
    ok = top->target >= 0;
  }
  Text from;
  from.assign(path.view());
  Text inside;
  ok = ok && children(top, from, inside, 0);
  release(top, shared_);
  return ok;
}

bool Tree::file(Text& path, const struct stat& info) {
  std::string_view whole = path.view();
  size_t cut = whole.size();
  while (cut > 0 && whole[cut - 1] != '/') cut--;
  if (!excludes_.empty() && excludes_.match(drop(whole, cut))) return true;
  result_.files += S_ISREG(info.st_mode) ? 1 : 0;
  // A link was followed: the file is opened where it is.
  Directory* top = make_directory(nullptr, meta_of(info));
  top->shown = top->given = true;
  Text real;
  bool ok = real_path(whole, real);
  size_t slash = real.size();
  while (slash > 0 && real[slash - 1] != '/') slash--;
  Text parent, name;
  parent.append("/");
  parent.append(take(real.view(), slash));
  name.assign(drop(real.view(), slash));
  if (ok) {
    top->source = open_source_directory(parent.c_str());
    ok = top->source >= 0 || fault_.system("openat2", errno);
  }
  Text target;
  target.assign(drop(whole, cut));
  if (ok && target_ >= 0) ok = open_file_target(top, target);
  if (ok) ok = entry(top, name.c_str(), target.c_str(), path);
  release(top, shared_);
  return ok;
}

// The path that an open file has from the root: a link at the end of the source was followed on the way to it.
// Without /proc there is no readlink of a descriptor; the link is followed by hand, each step inside the root.
bool Tree::real_path(std::string_view path, Text& real) {
  Text at;
  at.assign(path);
  for (int step = 0; step < 40; step++) {
    size_t cut = at.size();
    while (cut > 0 && at[cut - 1] != '/') cut--;
    Text parent, name;
    parent.append("/");
    parent.append(take(at.view(), cut));
    name.assign(drop(at.view(), cut));
    Fd directory(open_in_root(root_, parent.c_str(), O_DIRECTORY));
    if (!directory) return fault_.system("openat2", errno);
    char link[4096];
    ssize_t n = readlinkat(directory.get(), name.c_str(), link, sizeof link);
    if (n < 0) {
      real.assign(at.view());
      return errno == EINVAL || fault_.system("readlinkat", errno);
    }
    Text next;
    if (link[0] != '/') next.append(take(at.view(), cut));
    next.append(std::string_view(link, static_cast<size_t>(n)));
    at.assign(next.view());
  }
  return fault_.system("openat2", ELOOP);
}

int Tree::open_source_directory(const char* path) {
  return sys::open_at2(root_, path, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

// For reading too, so that times and owners can be set by it.
int Tree::open_target_directory(std::string_view path) {
  Fd found(open_directories(target_, path, owner_, fault_));
  if (!found) return -1;
  int fd = openat(found.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fault_.system("openat", errno);
  return fd;
}

// Where a file goes: into the target if that is a directory, else under its name.
bool Tree::open_file_target(Directory* top, Text& name) {
  std::string_view target = request_.target;
  bool into = (request_.flags & kIntoTarget) != 0;
  if (!into) {
    Text path;
    path.assign(target);
    Fd there(open_in_root(target_, path.c_str(), O_DIRECTORY));
    into = static_cast<bool>(there);
  }
  if (!into) {
    size_t cut = target.size();
    while (cut > 0 && target[cut - 1] != '/') cut--;
    name.assign(drop(target, cut));
    target = take(target, cut);
  }
  top->target = open_target_directory(target);
  return top->target >= 0;
}

// `from`: path from the root; `inside`: path from the source.
bool Tree::children(Directory* directory, Text& from, Text& inside, int depth) {
  if (depth > 4000) return fault_.system("openat", ENAMETOOLONG);
  Names names;
  fault_.at(from.view());
  if (!names.read(directory->source)) return fault_.system("getdents64", errno);
  size_t from_size = from.size(), inside_size = inside.size();
  for (char* name : names.list) {
    if (shared_.failed()) return false;
    if (!from.empty()) from.append("/");
    from.append(name);
    if (!inside.empty()) inside.append("/");
    inside.append(name);
    bool ok = child(directory, name, from, inside, depth);
    from.truncate(from_size);
    inside.truncate(inside_size);
    if (!ok) return false;
  }
  return true;
}

bool Tree::child(Directory* directory, const char* name, Text& from, Text& inside, int depth) {
  bool out = ignores(from.view());
  bool back = out && ignores_.has_exclusions();
  if (!out && !excludes_.empty() && excludes_.match(inside.view())) {
    out = true;
    back = excludes_.has_exclusions();
  }
  if (includes_ != nullptr && !out && !includes_->match(inside.view())) out = back = true;
  if (out && !back) return true;
  struct stat info;
  fault_.at(from.view());
  if (fstatat(directory->source, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return fault_.system("newfstatat", errno);
  if (!S_ISDIR(info.st_mode)) return out || entry(directory, name, name, from, &info);
  Directory* next = make_directory(directory, meta_of(info));
  next->name.assign(name);
  next->path.assign(inside.view());
  next->source = openat(directory->source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  bool ok = next->source >= 0 || fault_.system("openat", errno);
  if (ok && !out) ok = show(next);
  ok = ok && children(next, from, inside, depth + 1);
  release(next, shared_);
  return ok;
}

// Makes a directory, and those above it that were left out so far, part of the result.
bool Tree::show(Directory* directory) {
  if (directory->shown) return true;
  if (directory->parent != nullptr && !show(directory->parent)) return false;
  directory->shown = true;
  if (target_ < 0) {
    if (digest_.record('d', directory->path.view(), directory->meta, directory->source, {}) == nullptr)
      return fault_.system("fgetxattr", errno);
    result_.entries++;
    return true;
  }
  int parent = directory->parent->target;
  const char* name = directory->name.c_str();
  fault_.at(directory->path.view());
  if (mkdirat(parent, name, 0700) < 0) {
    struct stat there;
    if (errno != EEXIST) return fault_.system("mkdirat", errno);
    if (fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) < 0) return fault_.system("newfstatat", errno);
    if (!S_ISDIR(there.st_mode)) {
      if (!(request_.flags & kReplace))
        return fault_.fail(FaultKind::kUnsupported, {"cannot copy to non-directory: ", directory->path.view()});
      // A job may be about to write it.
      pool_.drain();
      if (unlinkat(parent, name, 0) < 0) return fault_.system("unlinkat", errno);
      if (mkdirat(parent, name, 0700) < 0) return fault_.system("mkdirat", errno);
    }
  }
  directory->target = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  result_.entries++;
  return directory->target >= 0 || fault_.system("openat", errno);
}

bool Tree::entry(Directory* directory, const char* name, const char* target, Text& from, const struct stat* known) {
  struct stat info;
  fault_.at(from.view());
  if (known != nullptr)
    info = *known;
  else if (fstatat(directory->source, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
    return fault_.system("newfstatat", errno);
  // Sockets mean nothing without their server, and overlayfs keeps its own marks as devices 0:0.
  if (S_ISSOCK(info.st_mode) || (S_ISCHR(info.st_mode) && info.st_rdev == 0)) return true;
  if (!show(directory)) return false;
  if (++result_.entries > kMaxEntries) return fault_.limit({"too many files"});
  if (S_ISREG(info.st_mode)) result_.bytes += static_cast<uint64_t>(info.st_size);
  Meta meta = meta_of(info);
  if (target_ < 0) return digest_entry(directory, name, target, info, meta);
  if (!clear(directory->target, target)) return false;
  if (S_ISREG(info.st_mode)) {
    if (info.st_nlink > 1 && links_.later(directory, info, target)) return true;
    add_file(pool_, shared_, directory, name, target, info, meta, nullptr);
    return true;
  }
  return special(directory, name, target, info, meta);
}

bool Tree::clear(int parent, const char* name) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return true;
  if (errno == EISDIR && (request_.flags & kReplace)) {
    pool_.drain();
    Failure failure;
    return remove_tree_at(parent, name, failure) || fault_.system("unlinkat", failure.errnum);
  }
  if (errno == EISDIR) return fault_.fail(FaultKind::kUnsupported, {"cannot copy to directory: ", name});
  return fault_.system("unlinkat", errno);
}

bool Tree::special(Directory* directory, const char* name, const char* target, const struct stat& info,
                   const Meta& meta) {
  int to = directory->target;
  if (S_ISLNK(info.st_mode)) {
    char link[4097];
    ssize_t n = readlinkat(directory->source, name, link, sizeof link - 1);
    if (n < 0) return fault_.system("readlinkat", errno);
    link[n] = 0;
    if (symlinkat(link, to, target) < 0) return fault_.system("symlinkat", errno);
  } else if (mknodat(to, target, (info.st_mode & S_IFMT) | 0600, info.st_rdev) < 0) {
    return fault_.system("mknodat", errno);
  }
  if (fchownat(to, target, meta.uid, meta.gid, AT_SYMLINK_NOFOLLOW) < 0) return fault_.system("fchownat", errno);
  if (!S_ISLNK(info.st_mode) && fchmodat(to, target, meta.mode & 07777, 0) < 0) return fault_.system("fchmodat", errno);
  struct timespec modified = clamped(meta.modified, request_.latest);
  struct timespec times[2] = {modified, modified};
  return utimensat(to, target, times, AT_SYMLINK_NOFOLLOW) == 0 || fault_.system("utimensat", errno);
}

bool Tree::digest_entry(Directory* directory, const char* name, const char* target, const struct stat& info,
                        const Meta& meta) {
  Text path;
  path.assign(directory->path.view());
  path.append("/");
  path.append(target);
  if (S_ISREG(info.st_mode)) {
    Fd file(openat(directory->source, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!file) return fault_.system("openat", errno);
    Record* record = digest_.record('f', path.view(), meta, file.get(), {});
    if (record == nullptr) return fault_.system("fgetxattr", errno);
    add_file(pool_, shared_, directory, name, name, info, meta, record);
    return true;
  }
  char link[4096];
  std::string_view what;
  if (S_ISLNK(info.st_mode)) {
    ssize_t n = readlinkat(directory->source, name, link, sizeof link);
    if (n < 0) return fault_.system("readlinkat", errno);
    what = {link, static_cast<size_t>(n)};
  } else {
    memcpy(link, &info.st_rdev, sizeof info.st_rdev);
    what = {link, sizeof info.st_rdev};
  }
  digest_.record(S_ISLNK(info.st_mode) ? 'l' : 's', path.view(), meta, -1, what);
  return true;
}

}  // namespace jubako::copy
