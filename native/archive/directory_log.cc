#include "directory_log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace jubako::archive {

bool DirectoryLog::explicitly(std::string_view path, uint64_t inode, const Entry& entry) {
  Text encoded;
  for (const Xattrs::Item& item : entry.xattrs.items()) {
    const uint32_t sizes[2] = {item.name_size, item.value_size};
    encoded.append({reinterpret_cast<const char*>(sizes), sizeof sizes});
    encoded.append(entry.xattrs.name(item));
    encoded.append(entry.xattrs.value(item));
  }
  const Numbers& numbers = entry.numbers;
  return add({inode, numbers.mtime, numbers.mtime_ns, entry.mode, static_cast<uint32_t>(numbers.uid),
              static_cast<uint32_t>(numbers.gid), 0, static_cast<uint32_t>(path.size()),
              static_cast<uint32_t>(encoded.size())},
             path, encoded.view());
}

bool DirectoryLog::implicitly(std::string_view path, uint64_t inode) {
  return add({inode, 0, 0, 0755, 0, 0, 1, static_cast<uint32_t>(path.size()), 0}, path, {});
}

bool DirectoryLog::add(const Fixed& fixed, std::string_view path, std::string_view xattrs) {
  buffer_.append({reinterpret_cast<const char*>(&fixed), sizeof fixed});
  buffer_.append(path);
  buffer_.append(xattrs);
  return buffer_.size() < kSpill || spill();
}

bool DirectoryLog::spill() {
  if (file_ < 0) {
    file_ = openat(root_, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file_ < 0) return fault_.system("openat", errno, {"no unnamed file (O_TMPFILE) in the layer's directory"});
  }
  for (std::string_view rest = buffer_.view(); !rest.empty();) {
    const ssize_t count = write(file_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fault_.system("write", errno, {"the list of directories cannot be kept"});
    rest = drop(rest, static_cast<size_t>(count));
  }
  buffer_.clear();
  return true;
}

bool DirectoryLog::rewind() {
  position_ = 0;
  if (file_ < 0) return true;
  if (!spill()) return false;
  if (lseek(file_, 0, SEEK_SET) < 0) return fault_.system("lseek", errno);
  return true;
}

/** Makes `wanted` bytes available at `position_`; false at the end. */
bool DirectoryLog::load(size_t wanted) {
  if (buffer_.size() - position_ >= wanted) return true;
  if (file_ < 0) return false;
  const size_t rest = buffer_.size() - position_;
  if (rest > 0) std::memmove(buffer_.data(), buffer_.data() + position_, rest);
  buffer_.truncate(rest);
  position_ = 0;
  char piece[size_t{64} << 10];
  while (buffer_.size() < wanted) {
    const ssize_t count = read(file_, piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fault_.system("read", errno);
    if (count == 0) return false;
    buffer_.append({piece, static_cast<size_t>(count)});
  }
  return true;
}

bool DirectoryLog::next(Record& record) {
  Fixed fixed;
  if (!load(sizeof fixed)) return false;
  std::memcpy(&fixed, buffer_.data() + position_, sizeof fixed);
  const size_t size = sizeof fixed + fixed.path_size + fixed.xattrs_size;
  if (!load(size)) return false;
  const std::string_view text = drop(take(drop(buffer_.view(), position_), size), sizeof fixed);
  record = {fixed.inode,
            fixed.implicit != 0,
            fixed.mode,
            fixed.uid,
            fixed.gid,
            fixed.mtime,
            fixed.mtime_ns,
            take(text, fixed.path_size),
            drop(text, fixed.path_size)};
  position_ += size;
  return true;
}

}  // namespace jubako::archive
