#pragma once

#include "entry.h"

namespace jubako::archive {

/** Total size of the records of one pax header, of a GNU long name or of a sparse map in the data. */
constexpr uint64_t kMaxMetadata = uint64_t{1} << 20;
constexpr size_t kMaxPaxRecords = 1000;
constexpr size_t kMaxExtents = 1'000'000;

/** Records of one extended header (pax(1), "pax Extended Header") that are understood. */
struct PaxRecords {
  bool has_path = false, has_link = false, has_size = false, has_uid = false, has_gid = false, has_mtime = false;
  Text path;
  Text link;
  Numbers numbers;
  Xattrs xattrs;

  /** GNU.sparse.*: formats 0.0 and 0.1 carry the map here, 1.0 in front of the data. */
  Text sparse_major, sparse_minor, sparse_name;
  bool has_sparse_map = false, has_sparse_size = false;
  uint64_t sparse_size = 0;
  List<Extent> extents;

  void clear();
  /** Parses "length key=value\n" records. */
  bool parse(std::string_view records, Fault& fault);

 private:
  bool record(std::string_view key, std::string_view value, Fault& fault);
  bool sparse(std::string_view key, std::string_view value, Fault& fault);
};

}  // namespace jubako::archive
