#include "child.h"

#include "build_steps.h"
#include "process_steps.h"
#include "root_steps.h"
#include "volume_steps.h"

namespace jubako {

namespace {

struct Act {
  Op op;
  bool (*run)(Child&, Reader&, Failure&);
};

constexpr Act kActs[] = {
    {kCgroupJoin, steps::cgroup_join},
    {kRootPropagation, steps::root_propagation},
    {kRootOverlay, steps::root_overlay},
    {kRootBind, steps::root_bind},
    {kRootAttach, steps::root_attach},
    {kMount, steps::mount},
    {kBind, steps::bind},
    {kMountVolume, steps::mount_volume},
    {kMountDevice, steps::mount_device},
    {kMountImage, steps::mount_image},
    {kMkdirIn, steps::mkdir_in},
    {kDeviceNode, steps::device_node},
    {kSymlinkIn, steps::symlink_in},
    {kConsole, steps::console},
    {kMask, steps::mask},
    {kReadonlyPath, steps::readonly_path},
    {kPivotRoot, steps::pivot_root},
    {kMountReadonly, steps::mount_readonly},
    {kLoopback, steps::loopback},
    {kHostname, steps::hostname},
    {kDomainname, steps::domainname},
    {kSysctl, steps::sysctl},
    {kRlimit, steps::rlimit},
    {kOomScoreAdj, steps::oom_score_adj},
    {kKeyring, steps::keyring},
    {kJoinNamespace, steps::join_namespace},
    {kUnshareCgroup, steps::unshare_cgroup},
    {kWaitHost, steps::wait_host},
    {kSession, steps::session},
    {kUser, steps::user},
    {kWorkdir, steps::workdir},
    {kCredentials, steps::credentials},
    {kNoNewPrivileges, steps::no_new_privileges},
    {kSeccomp, steps::seccomp},
    {kExecute, steps::execute_command},
    {kMemoryFile, steps::memory_file},
    {kBindIn, steps::bind_in},
    {kFail, steps::fail_on_purpose},
};

const Act* find(Op op) {
  for (const Act& act : kActs) {
    if (act.op == op) return &act;
  }
  return nullptr;
}

}  // namespace

bool run_child_steps(Child& child, StepList steps, Failure& f) {
  Step step;
  while (steps.next(step)) {
    const Act* act = find(step.op);
    if (!act) return fail(f, ENOSYS, "plan", step_name(step.op));
    if (!act->run(child, step.fields, f)) {
      f.op = step.op;
      return false;
    }
  }
  return true;
}

}  // namespace jubako
