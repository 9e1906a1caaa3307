#pragma once

#include <string_view>

namespace jubako::archive {

/** What an archive's members are to the tree they go to. */
struct Placement {
  /** A layer of an overlay: `.wh.` names are whiteouts. Otherwise files that go to a tree that is used, as they are. */
  bool layer = true;
  /** Directory below the root that names are relative to; resolved anew for every member, and never out of the root. */
  std::string_view base = {};
  /** A directory does not give way to something else, nor something else to a directory. */
  bool keep_kinds = false;
  /** Owners as the archive has them; otherwise everything belongs to root. */
  bool owners = true;
};

}  // namespace jubako::archive
