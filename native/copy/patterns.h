// Patterns of .dockerignore, --exclude and --parents, as src/dockerfile/pattern.ts has them; that file checks their
// form.
#pragma once

#include <string_view>

#include "../archive/list.h"
#include "../sys/bytes.h"

namespace jubako::copy {

class Patterns {
 public:
  // The texts stay where they are.
  explicit Patterns(Strings texts);
  bool empty() const { return patterns_.empty(); }
  // Some pattern begins with "!": below a matched directory something may come back.
  bool has_exclusions() const { return exclusions_; }
  // Whether the last pattern that says something of the path, or of a directory above it, matches.
  bool match(std::string_view path) const;

 private:
  enum class Kind : uint8_t { kExact, kPrefix, kSuffix, kWild };
  struct Pattern {
    std::string_view text;
    Kind kind;
    bool exclusion;
  };
  static bool one(const Pattern& pattern, std::string_view path);

  archive::List<Pattern> patterns_;
  bool exclusions_ = false;
};

// One path element: `*`, `?`, `[...]` and `\x`, as Go's filepath.Match.
bool match_element(std::string_view pattern, std::string_view name);

bool has_wildcards(std::string_view text);

}  // namespace jubako::copy
