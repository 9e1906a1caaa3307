#pragma once

#include "tar_header.h"

namespace jubako::archive {

/** Extended attributes of one entry, in the order of the archive. */
class Xattrs {
 public:
  struct Item {
    uint32_t name_at, name_size, value_at, value_size;
  };

  void clear() {
    items_.clear();
    bytes_.clear();
  }
  bool empty() const { return items_.empty(); }
  /** Adds an attribute; one of the same name is replaced. */
  void set(std::string_view name, std::string_view value);
  bool has(std::string_view name) const;

  const List<Item>& items() const { return items_; }
  std::string_view name(const Item& item) const { return take(drop(bytes_.view(), item.name_at), item.name_size); }
  std::string_view value(const Item& item) const { return take(drop(bytes_.view(), item.value_at), item.value_size); }

 private:
  List<Item> items_;
  Text bytes_;
};

/** A run of data in a sparse file. */
struct Extent {
  uint64_t offset;
  uint64_t size;
};

/** One member of the archive with everything its header, pax records and GNU extensions say about it. */
struct Entry {
  /** Type flag of tar(5); '0' for every kind of regular file. */
  char type = '0';
  uint32_t mode = 0;
  uint64_t major = 0;
  uint64_t minor = 0;
  /** `numbers.size` is the number of bytes that follow in the archive. */
  Numbers numbers;
  Text name;
  Text link;
  Xattrs xattrs;
  bool sparse = false;
  /** Size of the file, holes included. */
  uint64_t logical_size = 0;
  List<Extent> extents;
};

}  // namespace jubako::archive
