#include "entry.h"

namespace jubako::archive {

bool Xattrs::has(std::string_view wanted) const {
  for (const Item& item : items_) {
    if (name(item) == wanted) return true;
  }
  return false;
}

void Xattrs::set(std::string_view wanted, std::string_view value) {
  Item* found = nullptr;
  for (Item& item : items_) {
    if (name(item) == wanted) found = &item;
  }
  if (found == nullptr) {
    items_.push({static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(wanted.size()), 0, 0});
    bytes_.append(wanted);
    found = &items_[items_.size() - 1];
  }
  found->value_at = static_cast<uint32_t>(bytes_.size());
  found->value_size = static_cast<uint32_t>(value.size());
  bytes_.append(value);
}

}  // namespace jubako::archive
