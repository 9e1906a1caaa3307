#include "patterns.h"

#include <cstring>

namespace jubako::copy {

namespace {

using archive::drop;
using archive::take;

// Bytes of the character that begins here.
size_t width(std::string_view text) {
  unsigned char c = static_cast<unsigned char>(text[0]);
  size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  return size < text.size() ? size : text.size();
}

uint32_t code_point(std::string_view text) {
  unsigned char c = static_cast<unsigned char>(text[0]);
  if (c < 0x80) return c;
  uint32_t value = c & (c < 0xe0 ? 0x1f : c < 0xf0 ? 0x0f : 0x07);
  for (size_t i = 1; i < width(text); i++) value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  return value;
}

// Takes one character, which a backslash may stand before.
uint32_t class_character(std::string_view& pattern) {
  if (pattern.size() > 1 && pattern[0] == '\\') pattern = drop(pattern, 1);
  uint32_t value = code_point(pattern);
  pattern = drop(pattern, width(pattern));
  return value;
}

// `pattern` stands after "[" and is left after "]".
bool match_class(std::string_view& pattern, uint32_t c) {
  bool negated = !pattern.empty() && pattern[0] == '^';
  if (negated) pattern = drop(pattern, 1);
  bool found = false;
  for (bool first = true; !pattern.empty() && (first || pattern[0] != ']'); first = false) {
    uint32_t low = class_character(pattern), high = low;
    if (pattern.size() > 1 && pattern[0] == '-' && pattern[1] != ']') {
      pattern = drop(pattern, 1);
      high = class_character(pattern);
    }
    if (low <= c && c <= high) found = true;
  }
  pattern = drop(pattern, 1);
  return found != negated;
}

bool wild(std::string_view pattern, std::string_view path) {
  while (!pattern.empty()) {
    char c = pattern[0];
    if (c == '*' && pattern.size() > 1 && pattern[1] == '*') {
      pattern = drop(pattern, 2);
      if (!pattern.empty() && pattern[0] == '/') pattern = drop(pattern, 1);
      if (pattern.empty()) return true;
      // Any number of whole directories, also none.
      for (size_t at = 0;;) {
        if (wild(pattern, drop(path, at))) return true;
        const void* slash = at < path.size() ? memchr(path.data() + at, '/', path.size() - at) : nullptr;
        if (slash == nullptr) return false;
        at = static_cast<size_t>(static_cast<const char*>(slash) - path.data()) + 1;
      }
    }
    if (c == '*') {
      pattern = drop(pattern, 1);
      for (size_t at = 0;; at++) {
        if (wild(pattern, drop(path, at))) return true;
        if (at >= path.size() || path[at] == '/') return false;
      }
    }
    if (path.empty()) return false;
    if (c == '?') {
      if (path[0] == '/') return false;
      pattern = drop(pattern, 1);
      path = drop(path, width(path));
    } else if (c == '[') {
      pattern = drop(pattern, 1);
      if (!match_class(pattern, code_point(path))) return false;
      path = drop(path, width(path));
    } else {
      if (c == '\\' && pattern.size() > 1) pattern = drop(pattern, 1);
      if (pattern[0] != path[0]) return false;
      pattern = drop(pattern, 1);
      path = drop(path, 1);
    }
  }
  return path.empty();
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && drop(text, text.size() - end.size()) == end;
}

bool has_special(std::string_view text) {
  for (char c : text) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') return true;
  }
  return false;
}

}  // namespace

bool has_wildcards(std::string_view text) {
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\')
      i++;
    else if (text[i] == '*' || text[i] == '?' || text[i] == '[')
      return true;
  }
  return false;
}

bool match_element(std::string_view pattern, std::string_view name) {
  // A "**" is two stars here, each for a part of the name; together they are one.
  for (; pattern.size() > 1 && pattern[0] == '*' && pattern[1] == '*';) pattern = drop(pattern, 1);
  return wild(pattern, name);
}

Patterns::Patterns(Strings texts) {
  for (uint32_t i = 0; i < texts.count; i++) {
    std::string_view text = texts.next();
    Pattern pattern = {text, Kind::kWild, false};
    if (!text.empty() && text[0] == '!') {
      pattern.exclusion = exclusions_ = true;
      pattern.text = text = drop(text, 1);
    }
    if (text.empty()) continue;
    if (!has_special(text))
      pattern.kind = Kind::kExact;
    else if (text.size() > 1 && text[0] == '*' && text[1] == '*' && !has_special(drop(text, 2)))
      pattern.kind = Kind::kSuffix;
    else if (ends_with(text, "**") && !has_special(take(text, text.size() - 2)))
      pattern.kind = Kind::kPrefix;
    patterns_.push(pattern);
  }
}

bool Patterns::one(const Pattern& pattern, std::string_view path) {
  switch (pattern.kind) {
    case Kind::kExact: return path == pattern.text;
    case Kind::kPrefix: {
      std::string_view prefix = take(pattern.text, pattern.text.size() - 2);
      return take(path, prefix.size()) == prefix;
    }
    case Kind::kSuffix: {
      std::string_view suffix = drop(pattern.text, 2);
      return ends_with(path, suffix) || (!suffix.empty() && suffix[0] == '/' && path == drop(suffix, 1));
    }
    case Kind::kWild: return wild(pattern.text, path);
  }
  return false;
}

bool Patterns::match(std::string_view path) const {
  bool matched = false;
  for (const Pattern& pattern : patterns_) {
    if (pattern.exclusion != matched) continue;
    bool match = one(pattern, path);
    for (size_t at = 0; !match && at < path.size(); at++) {
      if (path[at] == '/') match = one(pattern, take(path, at));
    }
    if (match) matched = !pattern.exclusion;
  }
  return matched;
}

}  // namespace jubako::copy
