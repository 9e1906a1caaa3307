// Export table of the addon: one line per subject.
#include <napi.h>

#include "napi/cgroups.h"
#include "napi/mounts.h"
#include "napi/network.h"
#include "napi/seccomp.h"
#include "napi/spawn.h"
#include "napi/storage.h"
#include "napi/terminal.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  jubako::napi::export_cgroups(env, exports);
  jubako::napi::export_mounts(env, exports);
  jubako::napi::export_network(env, exports);
  jubako::napi::export_seccomp(env, exports);
  jubako::napi::export_spawn(env, exports);
  jubako::napi::export_storage(env, exports);
  jubako::napi::export_terminal(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(jubako, init)
