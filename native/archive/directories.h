#pragma once

#include "barriers.h"
#include "directory_log.h"
#include "names.h"
#include "opaque.h"
#include "path_set.h"
#include "placement.h"
#include "tar_reader.h"

namespace jubako::archive {

/**
 * Open directories of the tree that is being made. A path is resolved by `openat2` from the root's descriptor, inside
 * the root whatever symbolic links the archive has made, and then reused for the members that follow.
 */
class Directories {
 public:
  Directories(int root, Barriers barriers, const Placement& placement, const OpaqueMarks& marks, TarReader& reader,
              DirectoryLog& log, Fault& fault)
      : root_(root),
        barriers_(barriers),
        placement_(placement),
        marks_(marks),
        reader_(reader),
        log_(log),
        fault_(fault) {}
  ~Directories() { forget(); }
  Directories(const Directories&) = delete;
  Directories& operator=(const Directories&) = delete;

  /**
   * An O_PATH descriptor of the directory at `path`, valid until the next call. Missing directories are made, mode 0755
   * and owned by root, and reported as implicit. -1 with the fault set otherwise.
   */
  int open(std::string_view path);

  /** Resolves without making anything or following a last symbolic link. -1 with errno set. */
  int find(std::string_view path, int flags) const;

  /** The directories made so far that no member describes. */
  PathSet& implicit() { return implicit_; }

  /** Drops all descriptors. Needed whenever something was removed from the tree. */
  void forget();

 private:
  static constexpr size_t kSets = 32;
  static constexpr size_t kWays = 4;
  struct Slot {
    uint64_t hash = 0;
    uint64_t used = 0;
    int fd = -1;
    Text path;
  };

  Slot* lookup(std::string_view path, uint64_t hash);
  int make(std::string_view path);
  bool make_component(int parent, std::string_view path);

  int root_;
  Barriers barriers_;
  const Placement& placement_;
  const OpaqueMarks& marks_;
  TarReader& reader_;
  DirectoryLog& log_;
  Fault& fault_;
  Slot slots_[kSets][kWays];
  Slot* last_ = nullptr;
  uint64_t clock_ = 0;
  PathSet implicit_;
};

}  // namespace jubako::archive
