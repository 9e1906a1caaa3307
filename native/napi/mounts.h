#pragma once

#include <napi.h>

namespace jubako::napi {

void export_mounts(Napi::Env env, Napi::Object exports);

}  // namespace jubako::napi
