#include "seccomp.h"

#include <string>
#include <vector>

#include "../seccomp/program.h"
#include "task.h"

namespace jubako::napi {

namespace {

// assembleSeccomp(rules: Uint8Array) -> Buffer with an array of struct sock_filter; throws a failure object.
Napi::Value assemble_seccomp(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto bytes = info[0].As<Napi::Uint8Array>();
  seccomp::Filter filter;
  Failure failure;
  std::vector<sock_filter> program;
  if (!seccomp::parse(Reader(bytes.Data(), bytes.ByteLength()), filter)) fail(failure, EINVAL, "seccomp", "rules");
  if (failure.failed() || !seccomp::assemble(filter, program, failure)) {
    napi_throw(env, failure_object(env, failure));
    return env.Undefined();
  }
  return Napi::Buffer<uint8_t>::Copy(env, reinterpret_cast<const uint8_t*>(program.data()),
                                     program.size() * sizeof(sock_filter));
}

// syscallNumber(name: string, arch: number) -> number, -1 when there is none. x32 with its bit 30.
Napi::Value syscall_number(const Napi::CallbackInfo& info) {
  std::string name = info[0].As<Napi::String>();
  uint32_t arch = info[1].As<Napi::Number>().Uint32Value();
  if (arch >= static_cast<uint32_t>(seccomp::Arch::kCount)) return Napi::Number::New(info.Env(), -1);
  int64_t number = seccomp::syscall_number(name.c_str(), static_cast<seccomp::Arch>(arch));
  return Napi::Number::New(info.Env(), static_cast<double>(number));
}

}  // namespace

void export_seccomp(Napi::Env env, Napi::Object exports) {
  exports.Set("assembleSeccomp", Napi::Function::New(env, assemble_seccomp));
  exports.Set("syscallNumber", Napi::Function::New(env, syscall_number));
}

}  // namespace jubako::napi
