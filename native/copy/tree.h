// A source that was found, with all that is below it: digested or copied.
#pragma once

#include <sys/stat.h>

#include <string_view>

#include "../archive/fault.h"
#include "../archive/list.h"
#include "digest.h"
#include "directory.h"
#include "hard_links.h"
#include "paths.h"
#include "patterns.h"
#include "pool.h"
#include "walk.h"

namespace jubako::copy {

class Tree {
 public:
  Tree(const Request& request, int root, int target, Pool& pool, Result& result, archive::Fault& fault)
      : request_(request),
        root_(root),
        target_(target),
        pool_(pool),
        result_(result),
        fault_(fault),
        shared_(request, fault),
        links_(shared_),
        ignores_(request.ignores),
        excludes_(request.excludes) {}

  // Before the first source.
  bool prepare();
  // `path`: from the root.
  bool directory(archive::Text& path, const struct stat& info);
  bool file(archive::Text& path, const struct stat& info);
  // After the last one. `ok`: none of them failed.
  bool finish(bool ok);

  bool ignores(std::string_view path) const { return !ignores_.empty() && ignores_.match(path); }
  // What is below an ignored directory may come back.
  bool has_exclusions() const { return ignores_.has_exclusions(); }
  // Of the following directories only what matches, with the directories above it; null: everything.
  void include_only(const Patterns* includes) { includes_ = includes; }

 private:
  Meta meta_of(const struct stat& info) const { return copy::meta_of(request_, owner_, info); }
  bool real_path(std::string_view path, archive::Text& real);
  int open_source_directory(const char* path);
  int open_target_directory(std::string_view path);
  bool open_file_target(Directory* top, archive::Text& name);
  bool children(Directory* directory, archive::Text& from, archive::Text& inside, int depth);
  bool child(Directory* directory, const char* name, archive::Text& from, archive::Text& inside, int depth);
  bool show(Directory* directory);
  bool entry(Directory* directory, const char* name, const char* target, archive::Text& from,
             const struct stat* known = nullptr);
  bool clear(int parent, const char* name);
  bool special(Directory* directory, const char* name, const char* target, const struct stat& info, const Meta& meta);
  bool digest_entry(Directory* directory, const char* name, const char* target, const struct stat& info,
                    const Meta& meta);

  const Request& request_;
  int root_, target_;
  Pool& pool_;
  Result& result_;
  archive::Fault& fault_;
  Shared shared_;
  HardLinks links_;
  Patterns ignores_, excludes_;
  const Patterns* includes_ = nullptr;
  Owner owner_;
  Digest digest_;
};

}  // namespace jubako::copy
