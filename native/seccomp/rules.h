// A filter's rules, flat: what TypeScript decided.
#pragma once

#include <cstdint>
#include <vector>

#include "../sys/bytes.h"
#include "syscalls.h"

namespace jubako::seccomp {

enum class Compare : uint32_t { kNotEqual, kLess, kLessEqual, kEqual, kGreaterEqual, kGreater, kMaskedEqual, kCount };

struct Condition {
  uint32_t index;  // 0 to 5
  Compare compare;
  bool word;  // only the low 32 bits count: the kernel takes an int
  uint64_t value;
  uint64_t mask;  // kMaskedEqual: (argument & mask) == value
};

struct Rule {
  const char* name;
  uint32_t action;                    // what the filter returns: SECCOMP_RET_* with its data
  std::vector<Condition> conditions;  // all must hold
};

struct Filter {
  std::vector<Arch> archs;  // the first is tested first
  uint32_t default_action;
  uint32_t newer_action;     // for numbers above every one that a rule names
  uint32_t bad_arch_action;  // for another architecture
  uint32_t x32_action;       // for x32 calls when kX32 is not in `archs`
  std::vector<Rule> rules;
};

// Names in the result point into `reader`'s buffer. False: malformed.
bool parse(Reader reader, Filter& filter);

}  // namespace jubako::seccomp
