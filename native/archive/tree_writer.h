#pragma once

#include "directories.h"
#include "placement.h"

namespace jubako::archive {

/** Puts members into the layer's directory, with overlayfs's form of whiteouts. */
class TreeWriter {
 public:
  TreeWriter(int root, Barriers barriers, const Placement& placement, const OpaqueMarks& marks, const Limits& limits,
             TarReader& reader, Fault& fault)
      : barriers_(barriers),
        placement_(placement),
        marks_(marks),
        limits_(limits),
        reader_(reader),
        fault_(fault),
        log_(root, fault),
        directories_(root, barriers, placement, marks, reader, log_, fault) {}

  bool write(Entry& entry);

  /** Gives the directories their metadata. `compressed` is the size of the blob, for the limit on holes. */
  bool finish(uint64_t compressed);

  const PathSet& implicit() { return directories_.implicit(); }
  uint64_t entries() const { return entries_; }
  uint64_t bytes() const { return logical_; }

 private:
  bool check(const Entry& entry);
  /** Puts the base in front of a cleaned name. */
  void place(Text& path);
  bool keeps(const struct stat& info, bool directory);
  bool whiteout(const Entry& entry, int parent, std::string_view target);

  bool regular(const Entry& entry, int parent);
  bool contents(const Entry& entry, int fd);
  bool piece(int fd, Span data, uint64_t offset, bool positioned);
  bool directory(const Entry& entry, int parent);
  bool symlink(const Entry& entry, int parent);
  bool special(const Entry& entry, int parent);
  bool hard_link(const Entry& entry, int parent);

  /** Something has the member's name already: removes it. `was_whiteout` tells that it was one of this layer's. */
  bool clear(int parent, bool* was_whiteout);

  Barriers barriers_;
  const Placement& placement_;
  const OpaqueMarks& marks_;
  const Limits& limits_;
  TarReader& reader_;
  Fault& fault_;
  DirectoryLog log_;
  Directories directories_;
  Text path_, name_, target_;
  uint64_t entries_ = 0;
  uint64_t logical_ = 0;
  uint64_t largest_hole_ = 0;
  Text largest_sparse_;
};

}  // namespace jubako::archive
