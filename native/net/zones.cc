#include "zones.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "../sys/fd.h"
#include "../sys/files.h"

namespace jubako::dns {

namespace {

struct Entry {  // struct linux_dirent64
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

void read_addresses(int directory, int family, Address* list, size_t& found) {
  alignas(8) static char buffer[16384];
  for (long n; (n = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->length;
      if (found == kMaxAddresses) return;
      Address& address = list[found];
      address.family = family;
      if (inet_pton(family, entry->name, address.bytes) == 1) found++;
    }
  }
}

bool read_name(const Zone& zone, const char* name, int family, Address* list, size_t& found) {
  if (*name == 0 || *name == '.') return false;
  char path[4096];
  int n = snprintf(path, sizeof path, "%s/names/%s", zone.directory, name);
  if (n <= 0 || static_cast<size_t>(n) >= sizeof path) return false;
  Fd directory(sys::open_file(path, O_RDONLY | O_DIRECTORY));
  if (!directory) return false;
  if (family) read_addresses(directory.get(), family, list, found);
  return true;
}

}  // namespace

bool look_up(const Zone* zones, size_t count, const Query& query, Address* list, size_t& found) {
  int family = query.type == kTypeA ? AF_INET : query.type == kTypeAaaa ? AF_INET6 : 0;
  bool known = false;
  found = 0;
  for (size_t i = 0; i < count; i++) {
    if (read_name(zones[i], query.name, family, list, found)) {
      known = true;
      continue;
    }
    size_t size = strlen(query.name), suffix = strlen(zones[i].suffix);
    if (suffix == 0 || size < suffix + 2 || strcasecmp(query.name + size - suffix, zones[i].suffix) != 0 ||
        query.name[size - suffix - 1] != '.')
      continue;
    char name[kMaxName + 1];
    memcpy(name, query.name, size - suffix - 1);
    name[size - suffix - 1] = 0;
    known |= read_name(zones[i], name, family, list, found);
  }
  return known;
}

bool look_up_address(const Zone* zones, size_t count, const char* address, char* name, size_t size) {
  for (size_t i = 0; i < count; i++) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/reverse/%s", zones[i].directory, address);
    if (n <= 0 || static_cast<size_t>(n) >= sizeof path) continue;
    ssize_t length = sys::read_link(path, name, size - 1);
    if (length <= 0) continue;
    name[length] = 0;
    return true;
  }
  return false;
}

}  // namespace jubako::dns
