// Pseudo-terminals of a container's own devpts.
#pragma once

#include <cstdint>

#include "../sys/failure.h"
#include "../sys/fd.h"

namespace jubako {

struct Pty {
  Fd master, slave;
};

// Opens /dev/pts/ptmx below `root`, verified to be the multiplexer of a devpts, and its peer by TIOCGPTPEER: no name in
// /dev/pts is ever looked up, which a container could have replaced (CVE-2025-52565).
bool open_pty(int root, uint32_t rows, uint32_t columns, Pty& pty, Failure& f);

bool set_window_size(int terminal, uint32_t rows, uint32_t columns);

// Passes two descriptors over a socket, and takes them. A byte 'T' goes along.
bool send_fds(int socket, int first, int second);

}  // namespace jubako
