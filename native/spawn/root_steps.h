// Child steps that build the container's file system view.
#pragma once

#include "child.h"

namespace jubako::steps {

bool root_propagation(Child&, Reader&, Failure&);
bool root_overlay(Child&, Reader&, Failure&);
bool root_bind(Child&, Reader&, Failure&);
bool root_attach(Child&, Reader&, Failure&);
bool mount(Child&, Reader&, Failure&);
bool bind(Child&, Reader&, Failure&);
bool mkdir_in(Child&, Reader&, Failure&);
bool device_node(Child&, Reader&, Failure&);
bool symlink_in(Child&, Reader&, Failure&);
bool console(Child&, Reader&, Failure&);
bool mask(Child&, Reader&, Failure&);
bool readonly_path(Child&, Reader&, Failure&);
bool pivot_root(Child&, Reader&, Failure&);
bool mount_readonly(Child&, Reader&, Failure&);

}  // namespace jubako::steps
