#include "paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "../mount/path.h"
#include "../spawn/child.h"
#include "../sys/fd.h"

namespace jubako::copy {

using archive::Fault;
using archive::FaultKind;
using archive::Text;

bool resolve_owner(int root, const char* text, Owner& owner, Fault& fault) {
  if (*text == 0) return true;
  Child child;
  child.root = root;
  Failure failure;
  fault.at(text);
  if (!resolve_user(child, text, Strings{}, failure)) {
    return fault.fail(FaultKind::kUnsupported, {"invalid user or group: ", failure.path});
  }
  bool number = text[strspn(text, "0123456789")] == 0;
  owner = {child.uid, number ? child.uid : child.gid, true};
  return true;
}

int open_directories(int root, std::string_view path, const Owner& owner, Fault& fault) {
  fault.at(path);
  Fd at(open_in_root(root, "/", O_DIRECTORY));
  if (!at) return fault.system("openat2", errno), -1;
  Text prefix;
  size_t i = 0;
  while (i < path.size()) {
    while (i < path.size() && path[i] == '/') i++;
    size_t end = i;
    while (end < path.size() && path[end] != '/') end++;
    if (end == i) break;
    std::string_view name = archive::take(archive::drop(path, i), end - i);
    i = end;
    prefix.append("/");
    prefix.append(name);
    int next = open_in_root(root, prefix.c_str(), O_DIRECTORY);
    if (next < 0 && errno == ENOENT) {
      Text component;
      component.assign(name);
      if (mkdirat(at.get(), component.c_str(), 0755) < 0) return fault.system("mkdirat", errno), -1;
      next = open_in_root(root, prefix.c_str(), O_DIRECTORY);
      if (next >= 0 && owner.given && fchownat(next, "", owner.uid, owner.gid, AT_EMPTY_PATH) < 0) {
        close(next);
        return fault.system("fchownat", errno), -1;
      }
    }
    if (next < 0) {
      if (errno == ENOTDIR)
        return fault.fail(FaultKind::kUnsupported, {"cannot copy to non-directory: ", prefix.view()}), -1;
      return fault.system("openat2", errno), -1;
    }
    at.reset(next);
  }
  return at.release();
}

}  // namespace jubako::copy
