#pragma once

#include "list.h"

namespace jubako::archive {

/** Set of paths in the order they were added. */
class PathSet {
 public:
  bool empty() const { return live_ == 0; }
  /** Bytes that the paths take. */
  size_t bytes() const { return text_.size(); }
  /** False: it is a member already. */
  bool add(std::string_view path);
  void remove(std::string_view path);
  /** Removes `path` and everything below it. */
  void remove_tree(std::string_view path);

  /** Calls `use(path)` for every member. */
  template <typename Use>
  void each(Use use) const {
    for (const Item& item : items_) {
      if (item.live) use(path_of(item));
    }
  }

 private:
  struct Item {
    uint64_t hash;
    uint32_t at, size;
    bool live;
  };
  std::string_view path_of(const Item& item) const { return take(drop(text_.view(), item.at), item.size); }
  Item* find(std::string_view path, uint64_t hash);
  void index(uint32_t number);
  void grow();

  Text text_;
  List<Item> items_;
  /** Open addressing: item number + 1, or 0. */
  List<uint32_t> table_;
  size_t live_ = 0;
};

/** Hash for short paths. */
uint64_t hash_of(std::string_view path);

}  // namespace jubako::archive
