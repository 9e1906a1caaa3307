// Child steps that mount what the user asked for: volumes, binds with all their options, images.
#pragma once

#include "child.h"

namespace jubako::steps {

bool mount_volume(Child&, Reader&, Failure&);
bool mount_device(Child&, Reader&, Failure&);
bool mount_image(Child&, Reader&, Failure&);

}  // namespace jubako::steps
