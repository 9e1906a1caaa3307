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

namespace {

constexpr int kMaxLinks = 40;

int make_directories(int root, std::string_view path, const Owner& owner, int links, Fault& fault) {
  Fd at(open_in_root(root, "/", O_DIRECTORY));
  if (!at) return fault.system("openat2", errno), -1;
  Text prefix;
  size_t i = 0;
  while (i < path.size()) {
    while (i < path.size() && path[i] == '/') i++;
    size_t end = i;
    while (end < path.size() && path[end] != '/') end++;
    if (end == i) break;
    Text name;
    name.assign(archive::take(archive::drop(path, i), end - i));
    i = end;
    const size_t above = prefix.size();
    prefix.append("/");
    prefix.append(name.view());
    int next = open_in_root(root, prefix.c_str(), O_DIRECTORY);
    if (next < 0 && errno == ENOENT) {
      if (mkdirat(at.get(), name.c_str(), 0755) < 0) {
        char link[4096];
        const int error = errno;
        const ssize_t n =
            error == EEXIST && links < kMaxLinks ? readlinkat(at.get(), name.c_str(), link, sizeof link) : -1;
        if (n < 0) return fault.system("mkdirat", error), -1;
        // A link to nothing: what it names is made.
        Text real;
        if (link[0] != '/') real.append(archive::take(prefix.view(), above));
        real.append("/");
        real.append(std::string_view(link, static_cast<size_t>(n)));
        real.append(archive::drop(path, end));
        return make_directories(root, real.view(), owner, links + 1, fault);
      }
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

}  // namespace

int open_directories(int root, std::string_view path, const Owner& owner, Fault& fault) {
  fault.at(path);
  return make_directories(root, path, owner, 0, fault);
}

}  // namespace jubako::copy
