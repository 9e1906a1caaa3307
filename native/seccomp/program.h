// Assembles a filter to a classic BPF program.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "../sys/failure.h"
#include "rules.h"

namespace jubako::seccomp {

// False with E2BIG when it has more than the 4096 instructions the kernel takes, with EINVAL when `filter` names no
// architecture twice or none.
//
// Of all rules that match a call the strictest decides; when none does, the default. A call's number is found by a
// binary search over ranges of calls with the same answer, and such an answer depends on nothing but architecture and
// number, so that the kernel (5.11) remembers it and never runs the program for it.
bool assemble(const Filter& filter, std::vector<sock_filter>& program, Failure& failure);

}  // namespace jubako::seccomp
