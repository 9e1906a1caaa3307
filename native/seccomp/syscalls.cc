#include "syscalls.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace jubako::seccomp {

namespace {

struct Row {
  const char* name;
  int16_t numbers[static_cast<int>(Arch::kCount)];
};

constexpr Row kRows[] = {
#define SYSCALL(name, x86_64, i386, x32, aarch64) {#name, {x86_64, i386, x32, aarch64}},
#include "syscalls.def"
#undef SYSCALL
};

constexpr uint32_t kX32Bit = 0x40000000;  // __X32_SYSCALL_BIT

const Row* find(const char* name) {
  auto before = [](const Row& row, const char* wanted) { return strcmp(row.name, wanted) < 0; };
  const Row* row = std::lower_bound(std::begin(kRows), std::end(kRows), name, before);
  return row != std::end(kRows) && strcmp(row->name, name) == 0 ? row : nullptr;
}

}  // namespace

int64_t syscall_number(const char* name, Arch arch) {
  const Row* row = find(name);
  if (!row || row->numbers[static_cast<int>(arch)] < 0) return -1;
  uint32_t number = static_cast<uint32_t>(row->numbers[static_cast<int>(arch)]);
  return arch == Arch::kX32 ? number | kX32Bit : number;
}

}  // namespace jubako::seccomp
