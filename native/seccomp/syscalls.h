// Numbers of the system calls on the architectures a filter can be made for.
#pragma once

#include <cstdint>

namespace jubako::seccomp {

// Also the order of the columns in syscalls.def.
enum class Arch : uint32_t { kX86_64, kI386, kX32, kAarch64, kCount };

// The number of `name` on `arch` (x32: with bit 30 set); -1 when there is none or the name is unknown.
int64_t syscall_number(const char* name, Arch arch);

}  // namespace jubako::seccomp
