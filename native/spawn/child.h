// The child steps: what the container's first process (or an exec'd one) does to itself before it becomes the command.
#pragma once

#include <sys/types.h>

#include "../sys/failure.h"
#include "plan.h"

namespace jubako {

constexpr size_t kMaxGroups = 256;

// What earlier steps leave for later ones.
struct Child {
  int root = -1;    // the container's root directory; an overlay that the supervisor made is there from the start
  int status = -1;  // socket to jubako-init: failures and the pseudo-terminal's master
  int stdio[3] = {-1, -1, -1};
  int terminal = -1;  // slave side
  bool use_terminal = false;
  uint64_t furnished = 0;  // CLONE_NEW* of namespaces that have their sysctls and loopback device set already
  uint32_t rows = 0, columns = 0;
  int empty_directory = -1;  // detached read-only tmpfs, what masked directories show
  int null_device = -1;      // verified 1:3
  uid_t uid = 0;
  gid_t gid = 0;
  gid_t groups[kMaxGroups] = {};
  size_t group_count = 0;
  char home[512] = "/";
  const int* passed = nullptr;  // descriptors the plan may refer to
};

// Runs the steps in order; does not return if the last one executes the command. `f` says which one failed.
bool run_child_steps(Child& child, StepList steps, Failure& f);

// Resolves `user[:group]` and further groups in the root's /etc/passwd and /etc/group into uid, gid, groups and home.
bool resolve_user(Child& child, const char* spec, Strings groups, Failure& f);

// Becomes the command. With `init`, this process stays as pid 1 that forwards signals and reaps.
bool execute(Child& child, Strings argv, Strings envp, bool init, Failure& f);

}  // namespace jubako
