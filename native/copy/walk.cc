#include "walk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "../archive/path_set.h"
#include "../lib/remove_tree.h"
#include "../mount/path.h"
#include "../sys/fd.h"
#include "../sys/linux.h"
#include "directory_names.h"
#include "paths.h"
#include "patterns.h"

namespace jubako::copy {

namespace {

using archive::drop;
using archive::Fault;
using archive::FaultKind;
using archive::List;
using archive::Sha256;
using archive::take;
using archive::Text;

constexpr size_t kMaxXattr = 64 * 1024;
constexpr uint64_t kMaxEntries = 20'000'000;

// What the walk and its jobs share. Faults of jobs are kept under a lock; the walk looks at the flag.
class Shared {
 public:
  Shared(const Request& request, Fault& fault) : latest(request.latest), fault_(fault) {}
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  void system(const char* call, int error, std::string_view entry) {
    pthread_mutex_lock(&mutex_);
    if (!failed_.exchange(true)) {
      fault_.at(entry);
      fault_.system(call, error);
    }
    pthread_mutex_unlock(&mutex_);
  }
  struct timespec clamped(struct timespec time) const {
    if (latest != ~uint64_t{0} && static_cast<uint64_t>(time.tv_sec) >= latest) return {static_cast<time_t>(latest), 0};
    return time;
  }
  const uint64_t latest;

 private:
  Fault& fault_;
  std::atomic<bool> failed_{false};
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

struct Meta {
  uint32_t mode;
  uid_t uid;
  gid_t gid;
  struct timespec modified;
};

// Capabilities of files and the user's own attributes; what the kernel or overlayfs keeps for itself is not copied.
bool is_copied_attribute(const char* name) {
  return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

template <typename Use>
bool each_attribute(int fd, Use use) {
  char names[4096];
  ssize_t size = flistxattr(fd, names, sizeof names);
  if (size <= 0) return size == 0 || errno == ENOTSUP || errno == EBADF;
  for (const char* name = names; name < names + size; name += strlen(name) + 1) {
    if (!is_copied_attribute(name)) continue;
    // Rare, and large: not on the stack of a thread.
    char* value = static_cast<char*>(std::malloc(kMaxXattr));
    ssize_t length = value == nullptr ? -1 : fgetxattr(fd, name, value, kMaxXattr);
    bool used = length >= 0 && use(name, value, static_cast<size_t>(length));
    std::free(value);
    if (!used) return false;
  }
  return true;
}

bool apply(int fd, const Meta& meta, int attributes_from, const Shared& shared) {
  if (fchown(fd, meta.uid, meta.gid) < 0) return false;
  if (fchmod(fd, meta.mode & 07777) < 0) return false;
  if (!each_attribute(attributes_from, [&](const char* name, const char* value, size_t size) {
        return fsetxattr(fd, name, value, size, 0) == 0;
      }))
    return false;
  struct timespec modified = shared.clamped(meta.modified);
  struct timespec times[2] = {modified, modified};
  return futimens(fd, times) == 0;
}

// A directory that is walked: its descriptors live as long as somebody below works with them.
struct Directory {
  Directory* parent;
  int source, target;
  bool given;  // the target was there and keeps its own metadata
  bool shown;  // it is part of the result
  Meta meta;
  Text name, path;  // in the result
  std::atomic<int> users;
};

void release(Directory* directory, Shared& shared) {
  while (directory != nullptr && directory->users.fetch_sub(1) == 1) {
    Directory* parent = directory->parent;
    if (directory->target >= 0) {
      if (!directory->given && directory->shown && !shared.failed() &&
          !apply(directory->target, directory->meta, directory->source, shared))
        shared.system("fchown", errno, directory->path.view());
      close(directory->target);
    }
    close(directory->source);
    directory->~Directory();
    free(directory);
    directory = parent;
  }
}

// The digest of one file's contents goes into its record.
struct Record {
  size_t at, size;  // the text of its fields
  uint8_t contents[Sha256::kSize];
  bool has_contents;
};

struct FileJob : Job {
  Shared* shared;
  Directory* directory;
  Record* record;  // null when copying
  Meta meta;
  uint64_t size;
  char name[256];  // in the source
  char target[256];
};

bool copy_contents(int from, int to, uint64_t size, char* buffer) {
  if (size > kBuffer) {
    for (;;) {
      ssize_t n = static_cast<ssize_t>(syscall(SYS_copy_file_range, from, nullptr, to, nullptr, size_t{1} << 30, 0));
      if (n == 0) return true;
      if (n < 0) {
        if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) break;
        return false;
      }
    }
  }
  for (;;) {
    ssize_t n = read(from, buffer, kBuffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    for (ssize_t done = 0; done < n;) {
      ssize_t written = write(to, buffer + done, static_cast<size_t>(n - done));
      if (written < 0) return false;
      done += written;
    }
    if (static_cast<size_t>(n) < kBuffer && static_cast<uint64_t>(n) >= size) return true;
  }
}

void run_file(Job* base, char* buffer) {
  FileJob& job = *static_cast<FileJob*>(base);
  Shared& shared = *job.shared;
  const char* call = nullptr;
  if (!shared.failed()) {
    Fd from(openat(job.directory->source, job.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat now;
    if (!from || fstat(from.get(), &now) < 0) {
      call = "openat";
    } else if (!S_ISREG(now.st_mode)) {
      errno = ESTALE;
      call = "openat";
    } else if (job.record != nullptr) {
      Sha256 sha;
      ssize_t n;
      while ((n = read(from.get(), buffer, kBuffer)) > 0)
        sha.update(reinterpret_cast<uint8_t*>(buffer), static_cast<size_t>(n));
      if (n < 0) call = "read";
      sha.finish(job.record->contents);
    } else {
      Fd to(openat(job.directory->target, job.target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      if (!to)
        call = "openat";
      else if (!copy_contents(from.get(), to.get(), job.size, buffer))
        call = "write";
      else if (!apply(to.get(), job.meta, from.get(), shared))
        call = "fchown";
    }
    if (call != nullptr) {
      int error = errno;
      Text entry;
      entry.assign(job.directory->path.view());
      if (!entry.empty()) entry.append("/");
      entry.append(job.name);
      shared.system(call, error, entry.view());
    }
  }
  release(job.directory, shared);
}

struct HardLink {
  dev_t device;
  ino_t inode;
  Directory* directory;
  char* name;
};

// A source that was found: the directory it is in, its name there, and its path from the root.
class Walk {
 public:
  Walk(const Request& request, int root, int target, Pool& pool, Result& result, Fault& fault)
      : request_(request),
        root_(root),
        target_(target),
        pool_(pool),
        result_(result),
        fault_(fault),
        shared_(request, fault),
        ignores_(request.ignores),
        excludes_(request.excludes) {}

  bool run() {
    if (target_ >= 0 && !resolve_owner(target_, request_.owner, owner_, fault_)) return false;
    Strings sources = request_.sources;
    bool ok = true;
    for (uint32_t i = 0; ok && i < sources.count; i++) ok = source(sources.next());
    pool_.drain();
    if (ok && !shared_.failed()) ok = link_all();
    for (HardLink& link : links_) forget(link);
    for (HardLink& link : originals_) forget(link);
    if (!ok || shared_.failed()) return false;
    if (target_ < 0) finish_digest();
    return true;
  }

 private:
  void forget(HardLink& link) {
    release(link.directory, shared_);
    free(link.name);
  }

  bool source(const char* text) {
    fault_.at(text);
    std::string_view path = text;
    while (!path.empty() && path[0] == '/') path = drop(path, 1);
    if (request_.flags & kParents) return with_parents(path);
    if (!(request_.flags & kWildcards) || !has_wildcards(path)) {
      Text whole;
      whole.assign(path);
      return one(whole, text);
    }
    Text prefix;
    return expand(prefix, path, text);
  }

  // Each component with wild cards against the names of its directory.
  // Below one, what is not there does not match.
  bool expand(Text& prefix, std::string_view rest, const char* text, bool globbed = false) {
    size_t end = 0;
    while (end < rest.size() && rest[end] != '/') end++;
    std::string_view component = take(rest, end);
    std::string_view more = end < rest.size() ? drop(rest, end + 1) : std::string_view{};
    size_t length = prefix.size();
    if (!has_wildcards(component)) {
      if (!prefix.empty()) prefix.append("/");
      for (size_t i = 0; i < component.size(); i++) {
        if (component[i] == '\\' && i + 1 < component.size()) i++;
        prefix.append(take(drop(component, i), 1));
      }
      bool ok = true;
      if (!more.empty())
        ok = expand(prefix, more, text, globbed);
      else
        ok = one(prefix, text, globbed);
      prefix.truncate(length);
      return ok;
    }
    Fd directory(open_in_root(root_, prefix.empty() ? "/" : prefix.c_str(), O_DIRECTORY));
    if (!directory) return errno == ENOENT || errno == ENOTDIR ? true : fault_.system("openat2", errno);
    Names names;
    if (!names.read(directory.get())) return fault_.system("getdents64", errno);
    for (char* name : names.list) {
      if (!match_element(component, name)) continue;
      if (!prefix.empty()) prefix.append("/");
      prefix.append(name);
      bool ok = true;
      if (more.empty()) {
        if (!hides(prefix.view())) ok = one(prefix, text, true);
      } else {
        ok = expand(prefix, more, text, true);
      }
      prefix.truncate(length);
      if (!ok) return false;
    }
    return true;
  }

  // Ignored, and nothing below it comes back.
  bool hides(std::string_view path) const {
    return !ignores_.empty() && ignores_.match(path) && !ignores_.has_exclusions();
  }

  // Says what is there beside what is not.
  bool missing(Text& path, const char* text) {
    size_t cut = path.size();
    while (cut > 0 && path[cut - 1] != '/') cut--;
    Text parent;
    parent.append("/");
    parent.append(take(path.view(), cut));
    Fd directory(open_in_root(root_, parent.c_str(), O_DIRECTORY));
    Names names;
    Text near;
    if (directory && names.read(directory.get())) {
      for (char* name : names.list) {
        Text whole;
        whole.append(take(path.view(), cut));
        whole.append(name);
        if (near.size() > 16'000 || (!ignores_.empty() && ignores_.match(whole.view()))) continue;
        near.append(name);
        near.append("\n");
      }
    }
    fault_.at(text);
    return fault_.fail(FaultKind::kMalformed, {near.view()});
  }

  // Opens the directory that a resolved path is in. A link at the end is followed, inside the root.
  // `globbed`: a pattern led here, and what is not there does not match.
  bool one(Text& path, const char* text, bool globbed = false) {
    Fd found(open_in_root(root_, path.empty() ? "/" : path.c_str()));
    struct stat info;
    if (!found || fstat(found.get(), &info) < 0) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return globbed || missing(path, text);
      return fault_.system("openat2", errno);
    }
    if (!path.empty() && !ignores_.empty() && ignores_.match(path.view()) &&
        !(S_ISDIR(info.st_mode) && ignores_.has_exclusions()))
      return globbed || missing(path, text);
    const bool is_directory = S_ISDIR(info.st_mode);
    if (target_ >= 0) {
      // The last of several sources wins, so those that may meet must not be copied side by side.
      size_t cut = path.size();
      while (cut > 0 && path[cut - 1] != '/') cut--;
      const bool is_new = !is_directory && names_.add(drop(path.view(), cut));
      if (!is_new || had_directory_) pool_.drain();
      had_directory_ = had_directory_ || is_directory;
    }
    return is_directory ? directory_source(path, info) : file_source(path, info);
  }

  bool directory_source(Text& path, const struct stat& info) {
    fault_.at(path.view());
    Directory* top = make(nullptr, info);
    top->source = open_in_root_readable(path.empty() ? "/" : path.c_str());
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

  bool file_source(Text& path, const struct stat& info) {
    std::string_view whole = path.view();
    size_t cut = whole.size();
    while (cut > 0 && whole[cut - 1] != '/') cut--;
    if (!excludes_.empty() && excludes_.match(drop(whole, cut))) return true;
    result_.files += S_ISREG(info.st_mode) ? 1 : 0;
    // A link was followed: the file is opened where it is.
    Directory* top = make(nullptr, info);
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
      top->source = open_in_root_readable(parent.c_str());
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
  bool real_path(std::string_view path, Text& real) {
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

  int open_in_root_readable(const char* path) {
    return sys::open_at2(root_, path, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  }

  // For reading too, so that times and owners can be set by it.
  int readable(int directory) {
    if (directory < 0) return -1;
    Fd path(directory);
    int fd = openat(path.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fault_.system("openat", errno);
    return fd;
  }

  int open_target_directory(std::string_view path) { return readable(open_directories(target_, path, owner_, fault_)); }

  // Where a file goes: into the target if that is a directory, else under its name.
  bool open_file_target(Directory* top, Text& name) {
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

  Directory* make(Directory* parent, const struct stat& info) {
    Directory* directory = new (std::malloc(sizeof(Directory))) Directory();
    directory->parent = parent;
    directory->source = directory->target = -1;
    directory->given = directory->shown = false;
    directory->meta = meta_of(info);
    directory->users = 1;
    if (parent != nullptr) parent->users.fetch_add(1);
    return directory;
  }

  uint32_t changed_mode(const struct stat& info) const {
    uint32_t mode = info.st_mode & 07777;
    if (request_.mode != kKeep) return request_.mode;
    bool directory = S_ISDIR(info.st_mode);
    for (size_t at = 0; at + sizeof(ModeChange) <= request_.changes.size; at += sizeof(ModeChange)) {
      ModeChange change;
      memcpy(&change, request_.changes.data + at, sizeof change);
      uint32_t bits = change.permissions | change.special;
      if (change.conditional && (directory || (mode & 0111))) bits |= 0111;
      bits &= change.who;
      if (change.action == 0)
        mode = (mode & ~(change.who & (directory ? 0777U : 07777U))) | bits;
      else if (change.action == 1)
        mode |= bits;
      else
        mode &= ~bits;
    }
    return mode;
  }

  Meta meta_of(const struct stat& info) const {
    Meta meta = {changed_mode(info), info.st_uid, info.st_gid, info.st_mtim};
    if (request_.flags & kNoOwner) meta.uid = meta.gid = 0;
    if (owner_.given) {
      meta.uid = owner_.uid;
      meta.gid = owner_.gid;
    }
    return meta;
  }

  // `from`: path from the root; `inside`: path from the source.
  bool children(Directory* directory, Text& from, Text& inside, int depth) {
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

  bool child(Directory* directory, const char* name, Text& from, Text& inside, int depth) {
    bool out = !ignores_.empty() && ignores_.match(from.view());
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
    Directory* next = make(directory, info);
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
  bool show(Directory* directory) {
    if (directory->shown) return true;
    if (directory->parent != nullptr && !show(directory->parent)) return false;
    directory->shown = true;
    if (target_ < 0) return record('d', directory->path.view(), directory->meta, directory->source, {}, nullptr);
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

  bool entry(Directory* directory, const char* name, const char* target, Text& from,
             const struct stat* known = nullptr) {
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
      if (info.st_nlink > 1 && link_later(directory, info, target)) return true;
      return add_file(directory, name, target, info, meta, nullptr);
    }
    return special(directory, name, target, info, meta);
  }

  bool add_file(Directory* directory, const char* name, const char* target, const struct stat& info, const Meta& meta,
                Record* record) {
    FileJob* job = static_cast<FileJob*>(std::malloc(sizeof(FileJob)));
    if (job == nullptr) std::abort();
    job->run = run_file;
    job->shared = &shared_;
    job->directory = directory;
    job->record = record;
    job->meta = meta;
    job->size = static_cast<uint64_t>(info.st_size);
    strncpy(job->name, name, sizeof job->name - 1);
    strncpy(job->target, target, sizeof job->target - 1);
    job->name[255] = job->target[255] = 0;
    directory->users.fetch_add(1);
    pool_.add(job);
    return true;
  }

  bool clear(int parent, const char* name) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return true;
    if (errno == EISDIR && (request_.flags & kReplace)) {
      pool_.drain();
      Failure failure;
      return remove_tree_at(parent, name, failure) || fault_.system("unlinkat", failure.errnum);
    }
    if (errno == EISDIR) return fault_.fail(FaultKind::kUnsupported, {"cannot copy to directory: ", name});
    return fault_.system("unlinkat", errno);
  }

  bool special(Directory* directory, const char* name, const char* target, const struct stat& info, const Meta& meta) {
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
    if (!S_ISLNK(info.st_mode) && fchmodat(to, target, meta.mode & 07777, 0) < 0)
      return fault_.system("fchmodat", errno);
    struct timespec modified = shared_.clamped(meta.modified);
    struct timespec times[2] = {modified, modified};
    return utimensat(to, target, times, AT_SYMLINK_NOFOLLOW) == 0 || fault_.system("utimensat", errno);
  }

  // The first name of a file is copied, the others become links to it when all is written.
  bool link_later(Directory* directory, const struct stat& info, const char* target) {
    HardLink link = {info.st_dev, info.st_ino, directory, strdup(target)};
    directory->users.fetch_add(1);
    for (HardLink& original : originals_) {
      if (original.device != info.st_dev || original.inode != info.st_ino) continue;
      links_.push(link);
      return true;
    }
    originals_.push(link);
    return false;
  }

  bool link_all() {
    for (HardLink& link : links_) {
      for (HardLink& original : originals_) {
        if (original.device != link.device || original.inode != link.inode) continue;
        fault_.at(link.name);
        if (linkat(original.directory->target, original.name, link.directory->target, link.name, 0) < 0)
          return fault_.system("linkat", errno);
        break;
      }
    }
    return true;
  }

  bool digest_entry(Directory* directory, const char* name, const char* target, const struct stat& info,
                    const Meta& meta) {
    Text path;
    path.assign(directory->path.view());
    path.append("/");
    path.append(target);
    if (S_ISREG(info.st_mode)) {
      Record* record_of = nullptr;
      Fd file(openat(directory->source, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
      if (!file) return fault_.system("openat", errno);
      return record('f', path.view(), meta, file.get(), {}, &record_of) &&
             add_file(directory, name, name, info, meta, record_of);
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
    return record(S_ISLNK(info.st_mode) ? 'l' : 's', path.view(), meta, -1, what, nullptr);
  }

  // Notes what an entry adds to the digest. Times do not count.
  bool record(char kind, std::string_view path, const Meta& meta, int attributes, std::string_view more,
              Record** made) {
    Record* record = static_cast<Record*>(std::calloc(1, sizeof(Record)));
    if (record == nullptr) std::abort();
    record->at = fields_.size();
    record->has_contents = kind == 'f';
    uint32_t numbers[4] = {kind == 'l' ? 0U : meta.mode & 07777, meta.uid, meta.gid,
                           static_cast<uint32_t>(path.size())};
    fields_.append(std::string_view(&kind, 1));
    fields_.append(std::string_view(reinterpret_cast<char*>(numbers), sizeof numbers));
    fields_.append(path);
    fields_.append(more);
    if (attributes >= 0 && !each_attribute(attributes, [&](const char* name, const char* value, size_t size) {
          fields_.append(std::string_view(name, strlen(name) + 1));
          fields_.append(std::string_view(value, size));
          return true;
        }))
      return free(record), fault_.system("fgetxattr", errno);
    record->size = fields_.size() - record->at;
    records_.push(record);
    if (made != nullptr) *made = record;
    if (kind == 'd') result_.entries++;
    return true;
  }

  void finish_digest() {
    Sha256 sha;
    for (Record* record : records_) {
      uint32_t size = static_cast<uint32_t>(record->size);
      sha.update(reinterpret_cast<uint8_t*>(&size), sizeof size);
      sha.update(reinterpret_cast<uint8_t*>(fields_.data()) + record->at, record->size);
      if (record->has_contents) sha.update(record->contents, sizeof record->contents);
      free(record);
    }
    sha.finish(result_.digest);
  }

  // --parents: what matches the pattern below the pivot, with its path.
  bool with_parents(std::string_view path) {
    size_t pivot = 0, skip = 0;
    for (size_t i = 0; i + 2 < path.size(); i++) {
      if (path[i] == '/' && path[i + 1] == '.' && path[i + 2] == '/') {
        pivot = i;
        skip = i + 3;
        break;
      }
    }
    if (take(path, 2) == "./") skip = 2;
    Text from, pattern;
    from.assign(take(path, pivot));
    pattern.assign(drop(path, skip));
    while (!pattern.empty() && pattern[pattern.size() - 1] == '/') pattern.truncate(pattern.size() - 1);
    if (!has_wildcards(pattern.view())) {
      Text whole;
      whole.assign(from.view());
      if (!whole.empty()) whole.append("/");
      whole.append(pattern.view());
      Fd there(open_in_root(root_, whole.empty() ? "/" : whole.c_str(), O_NOFOLLOW));
      if (!there || (!ignores_.empty() && ignores_.match(whole.view()))) return missing(whole, pattern.c_str());
    }
    struct stat info;
    Fd found(open_in_root(root_, from.empty() ? "/" : from.c_str(), O_DIRECTORY));
    if (!found || fstat(found.get(), &info) < 0) return missing(from, from.c_str());
    // One string, as the plan would have it.
    Text list;
    uint32_t numbers[2] = {1, static_cast<uint32_t>(pattern.size())};
    list.append(std::string_view(reinterpret_cast<char*>(numbers), sizeof numbers));
    list.append(pattern.view());
    list.append(std::string_view("\0", 1));
    Reader reader(reinterpret_cast<const uint8_t*>(list.data()), list.size());
    Patterns includes(reader.strings());
    includes_ = pattern.empty() ? nullptr : &includes;
    bool ok = directory_source(from, info);
    includes_ = nullptr;
    return ok;
  }

  const Request& request_;
  int root_, target_;
  Pool& pool_;
  Result& result_;
  Fault& fault_;
  Shared shared_;
  Patterns ignores_, excludes_;
  const Patterns* includes_ = nullptr;
  // File names of sources, and whether one was a directory.
  archive::PathSet names_;
  bool had_directory_ = false;
  Owner owner_;
  List<HardLink> originals_, links_;
  Text fields_;
  List<Record*> records_;
};

}  // namespace

bool walk(const Request& request, int root, int target, Pool& pool, Result& result, Fault& fault) {
  return Walk(request, root, target, pool, result, fault).run();
}

}  // namespace jubako::copy
