#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace jubako::archive {

/**
 * Growable array of trivially copyable values. It exists because the containers of the standard library bring
 * exceptions and their tables into a static program. Callers bound what they append; memory exhaustion ends the
 * process.
 */
template <typename T>
class List {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { std::free(items_); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return items_; }
  const T* data() const { return items_; }
  T& operator[](size_t index) { return items_[index]; }
  const T& operator[](size_t index) const { return items_[index]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }

  void clear() { size_ = 0; }
  void truncate(size_t size) {
    if (size < size_) size_ = size;
  }

  void push(const T& item) {
    const T copy = item;
    reserve(size_ + 1);
    items_[size_++] = copy;
  }

  void append(const T* items, size_t count) {
    if (count == 0) return;
    reserve(size_ + count);
    std::memcpy(items_ + size_, items, count * sizeof(T));
    size_ += count;
  }

  void reserve(size_t wanted) {
    if (wanted <= capacity_) return;
    size_t capacity = capacity_ == 0 ? 64 : capacity_ * 2;
    if (capacity < wanted) capacity = wanted;
    T* grown = static_cast<T*>(std::realloc(items_, capacity * sizeof(T)));
    if (grown == nullptr) std::abort();
    items_ = grown;
    capacity_ = capacity;
  }

 private:
  T* items_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

/** Growable byte string; `c_str` terminates it for system calls. */
class Text : public List<char> {
 public:
  std::string_view view() const { return {data(), size()}; }
  void assign(std::string_view text) {
    clear();
    append(text);
  }
  void append(std::string_view text) { List<char>::append(text.data(), text.size()); }
  using List<char>::append;
  const char* c_str() {
    reserve(size() + 1);
    data()[size()] = '\0';
    return data();
  }
};

/** `text` without its first `count` characters; the whole is gone when it is shorter. */
inline std::string_view drop(std::string_view text, size_t count) {
  return count >= text.size() ? std::string_view{} : std::string_view{text.data() + count, text.size() - count};
}

/** The first `count` characters of `text`. */
inline std::string_view take(std::string_view text, size_t count) {
  return {text.data(), count < text.size() ? count : text.size()};
}

/** Characters of `text` up to the first NUL. */
inline std::string_view until_nul(std::string_view text) {
  const void* end = std::memchr(text.data(), '\0', text.size());
  return end == nullptr ? text : take(text, static_cast<size_t>(static_cast<const char*>(end) - text.data()));
}

}  // namespace jubako::archive
