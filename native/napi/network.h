// Netlink of the network namespace that Node runs in.
#pragma once

#include <napi.h>

namespace jubako::napi {

void export_network(Napi::Env env, Napi::Object exports);

}  // namespace jubako::napi
