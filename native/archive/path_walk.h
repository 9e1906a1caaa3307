#pragma once

#include "pack.h"

namespace jubako::archive {

/** Packs what is at one path below an open root: links lead nowhere out of it, and nothing is resolved twice. */
class PathWalk : public Pack::Walk {
 public:
  /**
   * `path` empty: everything. `follow`: a last symbolic link too. `name` in the archive; empty: no entry of its own,
   * only what is in it.
   */
  PathWalk(int root, std::string_view path, bool follow, std::string_view name)
      : root_(root), path_(path), follow_(follow), name_(name) {}

  bool run(TreePacker& packer, Fault& fault) override;

 private:
  bool opened(TreePacker& packer, Fault& fault);

  int root_;
  std::string_view path_;
  bool follow_;
  std::string_view name_;
};

}  // namespace jubako::archive
