#include "metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../sys/fd.h"

namespace jubako::archive {

namespace {

bool starts_with(std::string_view text, std::string_view prefix) { return take(text, prefix.size()) == prefix; }

/** Docker's rule: a time before the epoch or after what 63 bits of nanoseconds hold becomes the epoch. */
struct Times {
  timespec both[2];
  Times(int64_t seconds, uint32_t nanoseconds) {
    constexpr int64_t kMaxSeconds = INT64_MAX / 1'000'000'000;
    const bool valid = seconds >= 0 && seconds <= kMaxSeconds;
    both[0].tv_sec = valid ? seconds : 0;
    both[0].tv_nsec = valid ? static_cast<long>(nanoseconds) : 0;
    both[1] = both[0];
  }
};

bool set_xattr(int fd, std::string_view name, std::string_view value, Fault& fault) {
  Text text;
  text.assign(name);
  if (fsetxattr(fd, text.c_str(), value.data(), value.size(), 0) == 0) return true;
  // A file system without the attribute's kind. A lost capability would be a program that fails without a reason.
  if ((errno == EOPNOTSUPP || errno == EPERM) && name != "security.capability") return true;
  return fault.system("fsetxattr", errno, {"the attribute ", name, " cannot be set"});
}

}  // namespace

bool xattr_allowed(std::string_view name) {
  if (name == "security.capability") return true;
  if (name == "system.posix_acl_access" || name == "system.posix_acl_default") return true;
  return starts_with(name, "user.") && !starts_with(name, "user.overlay.");
}

bool file_metadata(int fd, const Entry& entry, Fault& fault) {
  const Numbers& numbers = entry.numbers;
  const bool owned = (numbers.uid | numbers.gid) != 0;
  if (owned && fchown(fd, static_cast<uid_t>(numbers.uid), static_cast<gid_t>(numbers.gid)) != 0) {
    return fault.system("fchown", errno, {"the owner cannot be set"});
  }
  // fchown clears set-user-ID and set-group-ID.
  if (owned && (entry.mode & 07000) != 0 && fchmod(fd, entry.mode) != 0) return fault.system("fchmod", errno);
  for (const Xattrs::Item& item : entry.xattrs.items()) {
    const std::string_view name = entry.xattrs.name(item);
    if (xattr_allowed(name) && !set_xattr(fd, name, entry.xattrs.value(item), fault)) return false;
  }
  const Times times(numbers.mtime, numbers.mtime_ns);
  return futimens(fd, times.both) == 0 || fault.system("utimensat", errno, {"the times cannot be set"});
}

bool name_metadata(int parent, const char* name, const Entry& entry, Fault& fault) {
  const Numbers& numbers = entry.numbers;
  if ((numbers.uid | numbers.gid) != 0) {
    const auto uid = static_cast<uid_t>(numbers.uid);
    const auto gid = static_cast<gid_t>(numbers.gid);
    if (fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) return fault.system("fchownat", errno);
  }
  const Times times(numbers.mtime, numbers.mtime_ns);
  return utimensat(parent, name, times.both, AT_SYMLINK_NOFOLLOW) == 0 || fault.system("utimensat", errno);
}

bool linked_metadata(int parent, const char* name, const Entry& entry, Fault& fault) {
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return fault.system("fstatat", errno);
  const Numbers& numbers = entry.numbers;
  const Times times(numbers.mtime, numbers.mtime_ns);
  if (info.st_uid == numbers.uid && info.st_gid == numbers.gid && info.st_mtim.tv_sec == times.both[1].tv_sec &&
      info.st_mtim.tv_nsec == times.both[1].tv_nsec && (info.st_mode & 07777) == entry.mode) {
    return true;
  }
  if (!S_ISREG(info.st_mode)) return name_metadata(parent, name, entry, fault);
  const Fd file(openat(parent, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return fault.system("openat", errno);
  // Without owner bits that were cleared, and whatever uid the file has now.
  if (fchown(file.get(), static_cast<uid_t>(numbers.uid), static_cast<gid_t>(numbers.gid)) != 0) {
    return fault.system("fchown", errno);
  }
  if (fchmod(file.get(), entry.mode) != 0) return fault.system("fchmod", errno);
  return futimens(file.get(), times.both) == 0 || fault.system("utimensat", errno);
}

bool directory_metadata(int fd, const struct stat& now, const DirectoryLog::Record& record, Fault& fault) {
  if ((now.st_uid != record.uid || now.st_gid != record.gid) && fchown(fd, record.uid, record.gid) != 0) {
    return fault.system("fchown", errno);
  }
  if ((now.st_mode & 07777) != record.mode && fchmod(fd, record.mode) != 0) return fault.system("fchmod", errno);
  bool good = true;
  DirectoryLog::each_xattr(record.xattrs, [&](std::string_view name, std::string_view value) {
    if (good && xattr_allowed(name)) good = set_xattr(fd, name, value, fault);
  });
  if (!good || record.implicit) return good;
  const Times times(record.mtime, record.mtime_ns);
  return futimens(fd, times.both) == 0 || fault.system("utimensat", errno);
}

}  // namespace jubako::archive
