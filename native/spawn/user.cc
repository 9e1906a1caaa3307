#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../mount/path.h"
#include "../sys/fd.h"
#include "../sys/linux.h"
#include "child.h"

namespace jubako {

namespace {

constexpr size_t kMaxFile = 1 << 20;  // of /etc/passwd and /etc/group, which the image controls

// A file of the image, read whole. Empty if it is missing, no regular file or too large: then names are unknown.
class Table {
 public:
  Table(int root, const char* path) {
    Fd fd(sys::open_at2(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
    struct stat info;
    if (!fd || fstat(fd.get(), &info) < 0 || !S_ISREG(info.st_mode) || static_cast<size_t>(info.st_size) > kMaxFile)
      return;
    text_ = static_cast<char*>(malloc(static_cast<size_t>(info.st_size) + 1));
    if (!text_) return;
    size_t size = 0;
    ssize_t n;
    while (size < static_cast<size_t>(info.st_size) &&
           (n = read(fd.get(), text_ + size, static_cast<size_t>(info.st_size) - size)) > 0)
      size += static_cast<size_t>(n);
    end_ = text_ + size;
    *end_ = 0;
    line_ = text_;
  }
  ~Table() { free(text_); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void rewind() { line_ = text_; }

  // Cuts the next line at its colons; false at the end. Missing fields are empty.
  bool next(char** fields, size_t count) {
    if (!line_ || line_ >= end_) return false;
    size_t size = strcspn(line_, "\n");
    if (size >= sizeof copy_) {
      line_ += size + 1;
      copy_[0] = 0;
    } else {
      memcpy(copy_, line_, size);
      copy_[size] = 0;
      line_ += size + 1;
    }
    char* at = copy_;
    for (size_t i = 0; i < count; i++) {
      fields[i] = at;
      char* colon = i + 1 < count ? strchr(at, ':') : nullptr;
      if (colon) {
        *colon = 0;
        at = colon + 1;
      } else if (i + 1 < count) {
        at += strlen(at);
      } else {
        at[strcspn(at, ":")] = 0;
      }
    }
    return true;
  }

 private:
  char* text_ = nullptr;
  char* line_ = nullptr;
  char* end_ = nullptr;
  char copy_[8192];
};

// Digits only and below 2^31, as Docker has it: 4294967296 must not wrap to root (CVE-2024-40635).
bool parse_id(const char* text, uint32_t& id) {
  if (!*text) return false;
  uint64_t value = 0;
  for (const char* at = text; *at; at++) {
    if (*at < '0' || *at > '9') return false;
    value = value * 10 + static_cast<uint64_t>(*at - '0');
    if (value > 0x7fffffff) return false;
  }
  id = static_cast<uint32_t>(value);
  return true;
}

bool is_number(const char* text) { return *text && text[strspn(text, "0123456789")] == 0; }

void add_group(Child& child, gid_t gid) {
  for (size_t i = 0; i < child.group_count; i++) {
    if (child.groups[i] == gid) return;
  }
  if (child.group_count < kMaxGroups) child.groups[child.group_count++] = gid;
}

bool resolve_group(Table& table, const char* name, gid_t& gid, Failure& f) {
  if (is_number(name)) return parse_id(name, gid) || fail(f, ERANGE, "group", name);
  char* fields[4];
  table.rewind();
  while (table.next(fields, 4)) {
    if (strcmp(fields[0], name) == 0 && parse_id(fields[2], gid)) return true;
  }
  return fail(f, ENOENT, "group", name);
}

bool is_member(const char* list, const char* name) {
  size_t size = strlen(name);
  for (const char* at = list; *at;) {
    size_t n = strcspn(at, ",");
    if (n == size && memcmp(at, name, n) == 0) return true;
    at += n;
    if (*at == ',') at++;
  }
  return false;
}

}  // namespace

bool resolve_user(Child& child, const char* spec, Strings more, Failure& f) {
  char user[256], group[256] = "";
  const char* colon = strchr(spec, ':');
  size_t size = colon ? static_cast<size_t>(colon - spec) : strlen(spec);
  if (size >= sizeof user || (colon && strlen(colon + 1) >= sizeof group)) return fail(f, EINVAL, "user", spec);
  memcpy(user, spec, size);
  user[size] = 0;
  if (colon) snprintf(group, sizeof group, "%s", colon + 1);
  if (!*user) snprintf(user, sizeof user, "0");

  bool numeric = is_number(user);
  if (numeric && !parse_id(user, child.uid)) return fail(f, ERANGE, "user", user);
  Table passwd(child.root, "/etc/passwd");
  char* fields[7];
  char name[256] = "";
  bool found = false;
  while (!found && passwd.next(fields, 7)) {
    uint32_t uid, gid;
    if (!parse_id(fields[2], uid) || !parse_id(fields[3], gid)) continue;
    // A number is never looked up as a name (CVE-2026-46680).
    if (numeric ? uid != child.uid : strcmp(fields[0], user) != 0) continue;
    found = true;
    child.uid = uid;
    child.gid = gid;
    snprintf(name, sizeof name, "%s", fields[0]);
    if (fields[5][0] == '/' && strlen(fields[5]) < sizeof child.home)
      snprintf(child.home, sizeof child.home, "%s", fields[5]);
  }
  if (!found && !numeric) return fail(f, ENOENT, "user", user);

  Table groups(child.root, "/etc/group");
  if (*group) {
    if (!resolve_group(groups, group, child.gid, f)) return false;
  }
  add_group(child, child.gid);
  // Membership of /etc/group counts only when no group was named, as Docker has it.
  if (!*group && *name) {
    groups.rewind();
    while (groups.next(fields, 4)) {
      gid_t gid;
      if (parse_id(fields[2], gid) && is_member(fields[3], name)) add_group(child, gid);
    }
  }
  for (uint32_t i = 0; i < more.count; i++) {
    gid_t gid;
    if (!resolve_group(groups, more.next(), gid, f)) return false;
    add_group(child, gid);
  }
  return true;
}

}  // namespace jubako
