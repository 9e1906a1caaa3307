// Starts jubako-init. The only way a process is started from the Node process.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "../sys/failure.h"

namespace jubako {

constexpr int kControlFd = 3;
constexpr int kFirstFd = 4;
constexpr size_t kMaxFds = 32;

struct StartRequest {
  int image;          // descriptor of the sealed jubako-init
  const char* role;   // argv[1]
  const char* title;  // argv[2], shown by ps
  int control;        // becomes kControlFd
  const int* fds;     // become kFirstFd, kFirstFd + 1, ...
  size_t fd_count;
};

struct StartedInit {
  pid_t pid = -1;
  int pidfd = -1;
};

// Blocks until the program was executed (CLONE_VFORK). Call it on a thread with all signals blocked: the new process
// inherits the mask and so cannot run a handler of this one.
bool start_init(const StartRequest& request, StartedInit& started, Failure& f);

// Opens the program at `source` for execution so that nobody can write through the descriptor: a copy below
// `directory`, made once and named after the source's size and time, behind a detached read-only clone of its mount;
// a sealed memfd if `directory` is null or the kernel cannot do that. Returns -1 on failure.
int seal_image(const char* source, const char* directory, Failure& f);

}  // namespace jubako
