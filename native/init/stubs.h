#pragma once

#include "supervisor.h"

namespace jubako {

// Exit step: takes what mounting left in a writable layer out again.
bool clean_stubs(Supervisor&, Reader&, Failure&);

}  // namespace jubako
