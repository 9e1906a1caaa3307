#include "metadata.h"

#include <unistd.h>

namespace jubako::copy {

namespace {

uint32_t changed_mode(const Request& request, const struct stat& info) {
  uint32_t mode = info.st_mode & 07777;
  if (request.mode != kKeep) return request.mode;
  bool directory = S_ISDIR(info.st_mode);
  for (size_t at = 0; at + sizeof(ModeChange) <= request.changes.size; at += sizeof(ModeChange)) {
    ModeChange change;
    memcpy(&change, request.changes.data + at, sizeof change);
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

}  // namespace

Meta meta_of(const Request& request, const Owner& owner, const struct stat& info) {
  Meta meta = {changed_mode(request, info), info.st_uid, info.st_gid, info.st_mtim};
  if (request.flags & kNoOwner) meta.uid = meta.gid = 0;
  if (owner.given) {
    meta.uid = owner.uid;
    meta.gid = owner.gid;
  }
  return meta;
}

struct timespec clamped(struct timespec time, uint64_t latest) {
  if (latest != ~uint64_t{0} && static_cast<uint64_t>(time.tv_sec) >= latest) return {static_cast<time_t>(latest), 0};
  return time;
}

bool apply(int fd, const Meta& meta, int attributes_from, uint64_t latest) {
  if (fchown(fd, meta.uid, meta.gid) < 0) return false;
  if (fchmod(fd, meta.mode & 07777) < 0) return false;
  if (!each_attribute(attributes_from, [&](const char* name, const char* value, size_t size) {
        return fsetxattr(fd, name, value, size, 0) == 0;
      }))
    return false;
  struct timespec modified = clamped(meta.modified, latest);
  struct timespec times[2] = {modified, modified};
  return futimens(fd, times) == 0;
}

}  // namespace jubako::copy
