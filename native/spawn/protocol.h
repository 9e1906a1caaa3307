// What a jubako-init process and its clients say to each other, on the control socket and on a container's socket.
// A frame is {u32 type, u32 length} and `length` bytes, little endian. src/native/protocol.ts has the same numbers.
#pragma once

#include <cstdint>

#include "../sys/failure.h"

namespace jubako::protocol {

enum Type : uint32_t {
  // from jubako-init
  kStarted = 1,    // i32 pid: the command runs
  kFailed = 2,     // Failure
  kExit = 3,       // ExitInfo
  kStdout = 4,     // bytes
  kStderr = 5,     // bytes
  kDone = 6,       // i32 errno of the last kill or resize, 0 if it worked
  kPidfd = 7,      // SCM_RIGHTS carries the pidfd of the container's first process
  kResult = 8,     // a worker's result, role-specific
  kProgress = 9,   // a worker's progress, role-specific
  kImplicit = 10,  // unpack: a directory that no entry describes
  kFault = 11,     // unpack: why the archive was refused
  kGone = 12,      // nothing: everything is undone and removed, only the process itself has still to end
  kCut = 13,       // nothing: it was too far behind, there was more output
  kIdle = 14,      // nothing: it waits for kPassed and another plan
  // to jubako-init
  kAttach = 64,      // u32 mask of kAttach*
  kStdin = 65,       // bytes
  kStdinClose = 66,  // nothing
  kResize = 67,      // u16 rows, u16 columns
  kKill = 68,        // i32 signal
  kWait = 69,        // nothing: send kStarted (if it did) and kExit
  kGetPidfd = 70,    // nothing
  kPlan = 71,        // the first frame on the control socket but for kPrepare: what to do
  kStop = 72,        // i32 signal: as kKill, and it is not started again; ends a wait for the next start
  kSteps = 74,       // about networks, see run_sent_steps; the answer is kFailed, with errno 0 if it worked
  kSubject = 75,     // text: what events are about from now on
  kTitle = 77,       // before the plan: bytes that replace as many of the process's title
  kPrepare = 76,     // before the plan: steps to run at once, and their undoing if no plan comes
  kPassed = 78,      // after kIdle: SCM_RIGHTS carries the descriptors from kFirstFd on
  kGrown = 80,       // unpack: u64 bytes of the blob that are in its file by now
  kPolicy = 73,      // u32 RestartPolicy, u32 most restarts: from now on
};

constexpr uint32_t kAttachStdin = 1, kAttachStdout = 2, kAttachStderr = 4;
constexpr uint32_t kMaxFrame = 1 << 20;

struct Header {
  uint32_t type;
  uint32_t length;
};

struct ExitInfo {
  int32_t code;        // exit status, or 128 + signal
  int32_t signal;      // 0 if it exited by itself
  int32_t oom_killed;  // 1 if the OOM killer struck in its cgroup
  int32_t restarting;  // 1 if it is started again
  int64_t started_ms;  // since the epoch
  int64_t finished_ms;
};

}  // namespace jubako::protocol
