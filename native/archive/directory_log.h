#pragma once

#include <sys/stat.h>

#include "entry.h"

namespace jubako::archive {

/**
 * Metadata of directories, kept until every member is in place: a directory's mtime changes with each name made in it,
 * a set-group-ID or an access list would be inherited. Records beyond a few megabytes go to an unnamed file in the
 * tree, so that an archive of nothing but directories needs no memory.
 */
class DirectoryLog {
 public:
  struct Record {
    uint64_t inode;
    bool implicit;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    int64_t mtime;
    uint32_t mtime_ns;
    std::string_view path;
    /** As `DirectoryLog` encoded them; see `each_xattr`. */
    std::string_view xattrs;
  };

  DirectoryLog(int root, Fault& fault) : root_(root), fault_(fault) {}

  /** A member gave the directory its metadata. */
  bool explicitly(std::string_view path, uint64_t inode, const Entry& entry);
  /** The directory was made because a member lies in it. */
  bool implicitly(std::string_view path, uint64_t inode);

  /** Calls `apply(record)` for every record in order until it returns false. */
  template <typename Apply>
  bool replay(Apply apply) {
    if (!rewind()) return false;
    Record record;
    while (next(record)) {
      if (!apply(record)) return false;
    }
    return !fault_.set();
  }

  /** Calls `use(name, value)` for every attribute of a record. */
  template <typename Use>
  static void each_xattr(std::string_view encoded, Use use) {
    while (!encoded.empty()) {
      uint32_t sizes[2];
      std::memcpy(sizes, encoded.data(), sizeof sizes);
      encoded = drop(encoded, sizeof sizes);
      use(take(encoded, sizes[0]), take(drop(encoded, sizes[0]), sizes[1]));
      encoded = drop(encoded, size_t{sizes[0]} + sizes[1]);
    }
  }

 private:
  struct Fixed {
    uint64_t inode;
    int64_t mtime;
    uint32_t mtime_ns, mode, uid, gid, implicit, path_size, xattrs_size;
  };
  static constexpr size_t kSpill = size_t{4} << 20;

  bool add(const Fixed& fixed, std::string_view path, std::string_view xattrs);
  bool spill();
  bool rewind();
  bool next(Record& record);
  bool load(size_t wanted);

  int root_;
  Fault& fault_;
  Text buffer_;
  int file_ = -1;
  size_t position_ = 0;
};

}  // namespace jubako::archive
