#pragma once

#include <napi.h>

namespace jubako::napi {

void export_terminal(Napi::Env env, Napi::Object exports);

}  // namespace jubako::napi
