#include "find_path.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../sys/fd.h"
#include "../sys/linux.h"
#include "names.h"

namespace jubako::archive {

namespace {

constexpr uint64_t kInside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
// MAXSYMLINKS of the kernel.
constexpr int kMaxLinks = 40;

// The first component of `rest`, which loses it.
std::string_view next_component(std::string_view& rest) {
  while (!rest.empty() && rest.front() == '/') rest = drop(rest, 1);
  size_t size = 0;
  while (size < rest.size() && rest[size] != '/') size++;
  const std::string_view name = take(rest, size);
  rest = drop(rest, size);
  return name;
}

// The text of a path without links in it. Only text: whoever uses it resolves it again, inside the root.
bool resolve(int root, std::string_view path, Text& real, Fault& fault) {
  Text rest, done;
  rest.assign(path);
  for (int links = 0;;) {
    std::string_view left = rest.view();
    const std::string_view name = next_component(left);
    if (name.empty()) break;
    if (name == "..") {
      done.truncate(parent_of(done.view()).size());
    } else if (name != ".") {
      Text at;
      at.assign(done.view());
      at.append("/");
      at.append(name);
      char target[kMaxPath];
      const Fd link(sys::open_at2(root, at.c_str(), O_PATH | O_NOFOLLOW, kInside));
      const ssize_t size = link ? readlinkat(link.get(), "", target, sizeof target) : -1;
      if (size >= 0) {
        if (++links > kMaxLinks) return fault.system("readlinkat", ELOOP);
        Text next;
        next.assign({target, static_cast<size_t>(size)});
        next.append(left);
        if (next.size() >= kMaxPath) return fault.system("readlinkat", ENAMETOOLONG);
        if (size > 0 && target[0] == '/') done.clear();
        rest.assign(next.view());
        continue;
      }
      done.assign(at.view());
    }
    Text next;
    next.assign(left);
    rest.assign(next.view());
  }
  real.assign(done.empty() ? std::string_view("/") : done.view());
  return true;
}

}  // namespace

bool find_path(int root, std::string_view path, FoundPath& found, Fault& fault) {
  fault.at(path);
  Text text;
  text.assign("/");
  text.append(path);
  // A slash at the end, and `/.`, mean what a link leads to.
  const Fd fd(sys::open_at2(root, text.c_str(), O_PATH | O_NOFOLLOW, kInside));
  if (!fd || fstat(fd.get(), &found.info) != 0) return fault.system("openat2", errno);
  found.target.clear();
  return !S_ISLNK(found.info.st_mode) || resolve(root, path, found.target, fault);
}

}  // namespace jubako::archive
