#include "path_set.h"

namespace jubako::archive {

// FNV-1a, eight bytes at a time.
uint64_t hash_of(std::string_view path) {
  constexpr uint64_t kPrime = 1099511628211U;
  uint64_t hash = 14695981039346656037U ^ path.size();
  while (path.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, path.data(), 8);
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 29;
    path = drop(path, 8);
  }
  for (char byte : path) hash = (hash ^ static_cast<uint8_t>(byte)) * kPrime;
  return hash ^ hash >> 32;
}

PathSet::Item* PathSet::find(std::string_view path, uint64_t hash) {
  if (table_.empty()) return nullptr;
  const size_t mask = table_.size() - 1;
  for (size_t slot = hash & mask; table_[slot] != 0; slot = (slot + 1) & mask) {
    Item& item = items_[table_[slot] - 1];
    if (item.hash == hash && path_of(item) == path) return &item;
  }
  return nullptr;
}

void PathSet::index(uint32_t number) {
  const size_t mask = table_.size() - 1;
  size_t slot = items_[number].hash & mask;
  while (table_[slot] != 0) slot = (slot + 1) & mask;
  table_[slot] = number + 1;
}

void PathSet::grow() {
  const size_t size = table_.empty() ? 64 : table_.size() * 2;
  table_.clear();
  for (size_t slot = 0; slot < size; slot++) table_.push(0);
  for (uint32_t number = 0; number < items_.size(); number++) index(number);
}

bool PathSet::add(std::string_view path) {
  const uint64_t hash = hash_of(path);
  Item* known = find(path, hash);
  if (known != nullptr) {
    const bool added = !known->live;
    live_ += added ? 1 : 0;
    known->live = true;
    return added;
  }
  items_.push({hash, static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(path.size()), true});
  text_.append(path);
  live_++;
  if (items_.size() * 2 > table_.size()) {
    grow();
  } else {
    index(static_cast<uint32_t>(items_.size() - 1));
  }
  return true;
}

void PathSet::remove(std::string_view path) {
  if (live_ == 0) return;
  Item* item = find(path, hash_of(path));
  if (item == nullptr || !item->live) return;
  item->live = false;
  live_--;
}

void PathSet::remove_tree(std::string_view path) {
  for (Item& item : items_) {
    const std::string_view own = path_of(item);
    const bool below = own.size() >= path.size() && take(own, path.size()) == path &&
                       (own.size() == path.size() || own[path.size()] == '/');
    if (!item.live || !below) continue;
    item.live = false;
    live_--;
  }
}

}  // namespace jubako::archive
