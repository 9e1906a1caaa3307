// Child steps about the process itself: names, limits, credentials, the command.
#pragma once

#include "child.h"

namespace jubako::steps {

bool loopback(Child&, Reader&, Failure&);
bool hostname(Child&, Reader&, Failure&);
bool domainname(Child&, Reader&, Failure&);
bool sysctl(Child&, Reader&, Failure&);
bool rlimit(Child&, Reader&, Failure&);
bool oom_score_adj(Child&, Reader&, Failure&);
bool keyring(Child&, Reader&, Failure&);
bool join_namespace(Child&, Reader&, Failure&);
bool cgroup_join(Child&, Reader&, Failure&);
bool unshare_cgroup(Child&, Reader&, Failure&);
bool wait_host(Child&, Reader&, Failure&);
bool session(Child&, Reader&, Failure&);
bool user(Child&, Reader&, Failure&);
bool workdir(Child&, Reader&, Failure&);
bool credentials(Child&, Reader&, Failure&);
bool no_new_privileges(Child&, Reader&, Failure&);
bool seccomp(Child&, Reader&, Failure&);
bool execute_command(Child&, Reader&, Failure&);
bool fail_on_purpose(Child&, Reader&, Failure&);

}  // namespace jubako::steps
