#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../archive/path_set.h"
#include "../mount/path.h"
#include "../sys/fd.h"
#include "directory_names.h"
#include "patterns.h"
#include "tree.h"

namespace jubako::copy {

namespace {

using archive::drop;
using archive::Fault;
using archive::FaultKind;
using archive::take;
using archive::Text;

// What the texts of a request mean, in the order they have.
class Sources {
 public:
  Sources(const Request& request, int root, bool copies, Pool& pool, Fault& fault, Tree& tree)
      : request_(request), root_(root), copies_(copies), pool_(pool), fault_(fault), tree_(tree) {}

  bool run() {
    Strings sources = request_.sources;
    bool ok = true;
    for (uint32_t i = 0; ok && i < sources.count; i++) ok = source(sources.next());
    return ok;
  }

 private:
  bool source(const char* text) {
    fault_.at(text);
    std::string_view path = text;
    while (!path.empty() && path[0] == '/') path = drop(path, 1);
    if (request_.flags & kParents) return with_parents(path);
    if (!(request_.flags & kWildcards) || !has_wildcards(path)) {
      Text whole;
      whole.assign(path);
      return one(whole, text);
    }
    Text prefix;
    return expand(prefix, path, text);
  }

  // Each component with wild cards against the names of its directory.
  // Below one, what is not there does not match.
  bool expand(Text& prefix, std::string_view rest, const char* text, bool globbed = false) {
    size_t end = 0;
    while (end < rest.size() && rest[end] != '/') end++;
    std::string_view component = take(rest, end);
    std::string_view more = end < rest.size() ? drop(rest, end + 1) : std::string_view{};
    size_t length = prefix.size();
    if (!has_wildcards(component)) {
      if (!prefix.empty()) prefix.append("/");
      for (size_t i = 0; i < component.size(); i++) {
        if (component[i] == '\\' && i + 1 < component.size()) i++;
        prefix.append(take(drop(component, i), 1));
      }
      bool ok = true;
      if (!more.empty())
        ok = expand(prefix, more, text, globbed);
      else
        ok = one(prefix, text, globbed);
      prefix.truncate(length);
      return ok;
    }
    Fd directory(open_in_root(root_, prefix.empty() ? "/" : prefix.c_str(), O_DIRECTORY));
    if (!directory) return errno == ENOENT || errno == ENOTDIR ? true : fault_.system("openat2", errno);
    Names names;
    if (!names.read(directory.get())) return fault_.system("getdents64", errno);
    for (char* name : names.list) {
      if (!match_element(component, name)) continue;
      if (!prefix.empty()) prefix.append("/");
      prefix.append(name);
      bool ok = true;
      if (more.empty()) {
        if (!hides(prefix.view())) ok = one(prefix, text, true);
      } else {
        ok = expand(prefix, more, text, true);
      }
      prefix.truncate(length);
      if (!ok) return false;
    }
    return true;
  }

  // Ignored, and nothing below it comes back.
  bool hides(std::string_view path) const { return tree_.ignores(path) && !tree_.has_exclusions(); }

  // Says what is there beside what is not.
  bool missing(Text& path, const char* text) {
    size_t cut = path.size();
    while (cut > 0 && path[cut - 1] != '/') cut--;
    Text parent;
    parent.append("/");
    parent.append(take(path.view(), cut));
    Fd directory(open_in_root(root_, parent.c_str(), O_DIRECTORY));
    Names names;
    Text near;
    if (directory && names.read(directory.get())) {
      for (char* name : names.list) {
        Text whole;
        whole.append(take(path.view(), cut));
        whole.append(name);
        if (near.size() > 16'000 || tree_.ignores(whole.view())) continue;
        near.append(name);
        near.append("\n");
      }
    }
    fault_.at(text);
    return fault_.fail(FaultKind::kMalformed, {near.view()});
  }

  // Opens the directory that a resolved path is in. A link at the end is followed, inside the root.
  // `globbed`: a pattern led here, and what is not there does not match.
  bool one(Text& path, const char* text, bool globbed = false) {
    Fd found(open_in_root(root_, path.empty() ? "/" : path.c_str()));
    struct stat info;
    if (!found || fstat(found.get(), &info) < 0) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return globbed || missing(path, text);
      return fault_.system("openat2", errno);
    }
    if (!path.empty() && tree_.ignores(path.view()) && !(S_ISDIR(info.st_mode) && tree_.has_exclusions()))
      return globbed || missing(path, text);
    const bool is_directory = S_ISDIR(info.st_mode);
    if (copies_) {
      // The last of several sources wins, so those that may meet must not be copied side by side.
      size_t cut = path.size();
      while (cut > 0 && path[cut - 1] != '/') cut--;
      const bool is_new = !is_directory && names_.add(drop(path.view(), cut));
      if (!is_new || had_directory_) pool_.drain();
      had_directory_ = had_directory_ || is_directory;
    }
    return is_directory ? tree_.directory(path, info) : tree_.file(path, info);
  }

  // --parents: what matches the pattern below the pivot, with its path.
  bool with_parents(std::string_view path) {
    while (take(path, 2) == "./") path = drop(path, 2);
    size_t pivot = 0, skip = 0;
    for (size_t i = 0; i + 2 < path.size(); i++) {
      if (path[i] == '/' && path[i + 1] == '.' && path[i + 2] == '/') {
        pivot = i;
        skip = i + 3;
        break;
      }
    }
    Text from, pattern;
    from.assign(take(path, pivot));
    pattern.assign(drop(path, skip));
    while (!pattern.empty() && pattern[pattern.size() - 1] == '/') pattern.truncate(pattern.size() - 1);
    if (!has_wildcards(pattern.view())) {
      Text whole;
      whole.assign(from.view());
      if (!whole.empty() && !pattern.empty()) whole.append("/");
      whole.append(pattern.view());
      Fd there(open_in_root(root_, whole.empty() ? "/" : whole.c_str(), O_NOFOLLOW));
      if (!there || tree_.ignores(whole.view())) return missing(whole, pattern.c_str());
    }
    struct stat info;
    Fd found(open_in_root(root_, from.empty() ? "/" : from.c_str(), O_DIRECTORY));
    if (!found || fstat(found.get(), &info) < 0) return missing(from, from.c_str());
    // One string, as the plan would have it.
    Text list;
    uint32_t numbers[2] = {1, static_cast<uint32_t>(pattern.size())};
    list.append(std::string_view(reinterpret_cast<char*>(numbers), sizeof numbers));
    list.append(pattern.view());
    list.append(std::string_view("\0", 1));
    Reader reader(reinterpret_cast<const uint8_t*>(list.data()), list.size());
    Patterns includes(reader.strings());
    tree_.include_only(pattern.empty() ? nullptr : &includes);
    bool ok = tree_.directory(from, info);
    tree_.include_only(nullptr);
    return ok;
  }

  const Request& request_;
  int root_;
  bool copies_;
  Pool& pool_;
  Fault& fault_;
  Tree& tree_;
  // File names of sources, and whether one was a directory.
  archive::PathSet names_;
  bool had_directory_ = false;
};

}  // namespace

bool walk(const Request& request, int root, int target, Pool& pool, Result& result, Fault& fault) {
  Tree tree(request, root, target, pool, result, fault);
  if (!tree.prepare()) return false;
  return tree.finish(Sources(request, root, target >= 0, pool, fault, tree).run());
}

}  // namespace jubako::copy
