#include "names.h"

namespace jubako::archive {

bool clean_name(std::string_view name, Text& clean, std::string_view what, Fault& fault) {
  clean.clear();
  size_t depth = 0;
  while (!name.empty()) {
    const size_t slash = name.find('/');
    const std::string_view component = take(name, slash);
    name = slash == std::string_view::npos ? std::string_view{} : drop(name, slash + 1);
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      if (clean.empty()) return fault.hostile({what, " leads out of the layer by \"..\""});
      clean.truncate(parent_of(clean.view()).size());
      depth--;
      continue;
    }
    if (component.size() > kMaxComponent) return fault.limit({what, " has a component of more than 255 bytes"});
    if (++depth > kMaxDepth) return fault.limit({what, " is more than 256 directories deep"});
    if (!clean.empty()) clean.push('/');
    clean.append(component);
    if (clean.size() >= kMaxPath) return fault.limit({what, " has more than 4095 bytes"});
  }
  return true;
}

std::string_view parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : take(path, slash);
}

std::string_view base_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : drop(path, slash + 1);
}

}  // namespace jubako::archive
