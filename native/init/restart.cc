#include <signal.h>

#include "../sys/linux.h"
#include "supervisor.h"

// Restart policies as Docker has them: the first restart comes after 100 ms, each next one after twice the time, up to
// a minute; a life of ten seconds starts the count of time anew.

namespace jubako {

namespace {

constexpr uint32_t kFirstBackOffMs = 100, kLongestBackOffMs = 60 * 1000;
constexpr int64_t kLongLifeMs = 10 * 1000;

bool policy_wants(const Supervisor& s) {
  const Settings& settings = s.plan.settings;
  switch (settings.restart) {
    case RestartPolicy::kNo: return false;
    case RestartPolicy::kOnFailure:
      return s.exit.code != 0 && (settings.restart_max == 0 || s.restarts < settings.restart_max);
    case RestartPolicy::kAlways:
    case RestartPolicy::kUnlessStopped: return true;
  }
  return false;
}

}  // namespace

bool wants_restart(Supervisor& s) {
  bool anyway = s.restart_anyway;
  s.restart_anyway = false;
  if (s.stopping || !(anyway || policy_wants(s))) return false;
  if (s.exit.finished_ms - s.exit.started_ms >= kLongLifeMs) s.back_off_ms = 0;
  s.back_off_ms = s.back_off_ms ? s.back_off_ms * 2 : kFirstBackOffMs;
  if (s.back_off_ms > kLongestBackOffMs) s.back_off_ms = kLongestBackOffMs;
  s.restarts++;
  return true;
}

bool wait_for_restart(Supervisor& s) {
  s.waiting = true;
  arm(s, kBackOff, s.back_off_ms);
  while (s.waiting && !s.stopping) wait_and_dispatch(s, timer_wait(s));
  s.waiting = false;
  disarm(s, kBackOff);
  return !s.stopping;
}

void stop_container(Supervisor& s) {
  if (!s.pidfd || s.reaped) return;
  const Settings& settings = s.plan.settings;
  sys::pidfd_send_signal(s.pidfd.get(), settings.stop_signal);
  if (settings.stop_timeout_ms >= 0) arm(s, kStopTimeout, settings.stop_timeout_ms);
}

}  // namespace jubako
