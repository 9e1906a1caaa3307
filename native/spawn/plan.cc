#include "plan.h"

#include <sys/socket.h>

#include <cstdlib>

#include "protocol.h"

namespace jubako {

namespace {

constexpr uint32_t kMagic = 0x314b424a;  // "JBK1"

StepList step_list(Reader& reader) {
  Bytes body = reader.bytes();
  return StepList(Reader(body.data, body.size));
}

void decode_health(Reader& r, HealthSettings& health) {
  health.plan = r.bytes();
  health.title = r.text();
  health.path = r.text();
  health.interval = r.u64();
  health.timeout = r.u64();
  health.start_period = r.u64();
  health.start_interval = r.u64();
  health.retries = r.u32();
  health.action = static_cast<HealthAction>(r.u32());
  health.paused_path = r.text();
  health.paused_text = r.text();
}

}  // namespace

bool decode_plan(const uint8_t* data, size_t size, Plan& plan, Failure& f) {
  Reader r(data, size);
  if (r.u32() != kMagic) return fail(f, EPROTO, "plan", "magic");
  Settings& s = plan.settings;
  s.clone_flags = r.u64();
  s.into_cgroup = r.text();
  s.owned = r.u32();
  for (int i = 0; i < 3; i++) {
    s.streams[i] = static_cast<Stream>(r.u32());
    s.stream_index[i] = r.u32();
  }
  s.attach_mask = r.u32();
  s.stdin_once = r.u32();
  s.rows = r.u32();
  s.columns = r.u32();
  s.log_path = r.text();
  s.log_max_size = r.u64();
  s.log_max_files = r.u32();
  s.log_compress = r.u32();
  s.log_attributes = r.text();
  s.spill_directory = r.text();
  s.exit_path = r.text();
  s.state_path = r.text();
  s.state_text = r.text();
  s.oom_path = r.text();
  s.oom_key = r.text();
  s.kill = static_cast<KillKind>(r.u32());
  s.kill_path = r.text();
  s.freezer_path = r.text();
  s.reusable = r.u32();
  s.kill_on_end = r.u32();
  s.events_path = r.text();
  s.events_limit = r.u64();
  s.events_subject = r.text();
  s.event_started = r.text();
  s.event_ended = r.text();
  s.restart = static_cast<RestartPolicy>(r.u32());
  s.restart_max = r.u32();
  s.life_limit_ms = r.u64();
  s.stop_signal = r.i32();
  s.stop_timeout_ms = static_cast<int64_t>(r.u64());
  decode_health(r, s.health);
  plan.begin = step_list(r);
  plan.host = step_list(r);
  plan.beside = step_list(r);
  plan.child = step_list(r);
  plan.exit = step_list(r);
  plan.end = step_list(r);
  if (!r.ok() || r.left() != 0) return fail(f, EPROTO, "plan", "malformed");
  return true;
}

Bytes receive_frame(int control, uint32_t& type, Failure& f) {
  constexpr uint32_t kMaxPlan = 16U << 20;
  auto receive = [&](void* to, size_t size) {
    ssize_t n;
    do n = recv(control, to, size, MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    return n == static_cast<ssize_t>(size);
  };
  protocol::Header header;
  if (!receive(&header, sizeof header)) return {};
  if (header.length > kMaxPlan) return fail(f, EPROTO, "plan", "frame"), Bytes();
  auto* data = static_cast<uint8_t*>(malloc(header.length));
  if (!data) return fail(f, ENOMEM, "malloc", "plan"), Bytes();
  if (!receive(data, header.length)) return {};
  type = header.type;
  return {data, header.length};
}

Bytes receive_plan(int control, Failure& f) {
  uint32_t type = 0;
  Bytes plan = receive_frame(control, type, f);
  if (plan.size > 0 && type != protocol::kPlan) return fail(f, EPROTO, "plan", "frame"), Bytes();
  return plan;
}

const char* step_name(int op) {
  switch (op) {
#define STEP(number, identifier, name) \
  case number:                         \
    return name;
#include "steps.def"
#undef STEP
  }
  return "step";
}

}  // namespace jubako
