#pragma once

#include "fault.h"

namespace jubako::archive {

/** Names of one directory in the order of their bytes, with their types as getdents64(2) tells them. */
class NameList {
 public:
  struct Item {
    uint32_t at;
    /** DT_*. */
    uint8_t type;
  };

  /** Reads an open directory from its current position. */
  bool read(int directory, Fault& fault);

  size_t size() const { return items_.size(); }
  const char* name(size_t index) const { return names_.data() + items_[index].at; }
  uint8_t type(size_t index) const { return items_[index].type; }

 private:
  List<char> names_;
  List<Item> items_;
};

}  // namespace jubako::archive
