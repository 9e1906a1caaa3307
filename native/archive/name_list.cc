#include "name_list.h"

#include <dirent.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace jubako::archive {

bool NameList::read(int directory, Fault& fault) {
  alignas(dirent64) char buffer[32768];
  for (;;) {
    const long count = syscall(SYS_getdents64, directory, buffer, sizeof buffer);
    if (count < 0) return fault.system("getdents64", errno, {"the directory cannot be read"});
    if (count == 0) break;
    for (long at = 0; at < count;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      const std::string_view name(entry->d_name);
      if (name == "." || name == "..") continue;
      items_.push({static_cast<uint32_t>(names_.size()), entry->d_type});
      names_.append(name.data(), name.size() + 1);
    }
  }
  std::sort(items_.begin(), items_.end(), [this](const Item& a, const Item& b) {
    // strcmp compares as unsigned bytes, whatever the locale.
    return std::strcmp(names_.data() + a.at, names_.data() + b.at) < 0;
  });
  return true;
}

}  // namespace jubako::archive
