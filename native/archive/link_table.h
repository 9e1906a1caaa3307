#pragma once

#include <sys/stat.h>

#include "list.h"

namespace jubako::archive {

/** Which name a file with several names was met by first. */
class LinkTable {
 public:
  LinkTable() = default;
  LinkTable(const LinkTable&) = delete;
  LinkTable& operator=(const LinkTable&) = delete;
  ~LinkTable() { std::free(slots_); }

  /** The first name of this file; empty, and `name` remembered, when it is met for the first time. */
  std::string_view first_name(const struct stat& info, std::string_view name) {
    if (2 * (count_ + 1) > capacity_) grow();
    Slot& slot = find(info.st_dev, info.st_ino);
    if (slot.used) return take(drop(names_.view(), slot.at), slot.size);
    slot = {info.st_dev, info.st_ino, names_.size(), static_cast<uint32_t>(name.size()), true};
    names_.append(name);
    count_++;
    return {};
  }

 private:
  struct Slot {
    dev_t device;
    ino_t inode;
    size_t at;
    uint32_t size;
    bool used;
  };

  Slot& find(dev_t device, ino_t inode) {
    size_t at = (inode * 0x9e3779b97f4a7c15U ^ device) & (capacity_ - 1);
    while (slots_[at].used && (slots_[at].inode != inode || slots_[at].device != device))
      at = (at + 1) & (capacity_ - 1);
    return slots_[at];
  }

  void grow() {
    Slot* old = slots_;
    const size_t size = capacity_;
    capacity_ = size == 0 ? 256 : size * 2;
    slots_ = static_cast<Slot*>(std::calloc(capacity_, sizeof(Slot)));
    if (slots_ == nullptr) std::abort();
    for (size_t i = 0; i < size; i++) {
      if (old[i].used) find(old[i].device, old[i].inode) = old[i];
    }
    std::free(old);
  }

  Slot* slots_ = nullptr;
  size_t capacity_ = 0;
  size_t count_ = 0;
  Text names_;
};

}  // namespace jubako::archive
