// Child steps of image builds: secrets, and parts of other stages and contexts.
#pragma once

#include "child.h"

namespace jubako::steps {

bool memory_file(Child&, Reader&, Failure&);
bool bind_in(Child&, Reader&, Failure&);

}  // namespace jubako::steps
