#pragma once

namespace jubako::archive {

/** The two independent walls around a hostile archive. Tests take one away to show that the other holds alone. */
struct Barriers {
  /** Namespaces, `pivot_root`, capabilities, seccomp and resource limits around the process. */
  bool jail = true;
  /** Names are cleaned and resolved beneath the root's descriptor. */
  bool beneath = true;
};

}  // namespace jubako::archive
