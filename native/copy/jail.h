// Walls around the process that walks hostile trees: it sees an empty root and has the capabilities of a copy only.
#pragma once

#include "../sys/failure.h"

namespace jubako::copy {

// A mount namespace of its own; detached mounts are made after this and before `confine`.
bool unshare_mounts(Failure& f);

// The root becomes an empty directory. Descriptors that are open are all that is left.
bool confine(Failure& f);

}  // namespace jubako::copy
