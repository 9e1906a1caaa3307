#include "terminal.h"

#include <termios.h>

#include <cerrno>

namespace jubako::napi {

namespace {

// makeRaw(fd: number) -> Buffer | number: the settings before, or the errno. What Node calls raw mode still changes
// line feeds on their way to the terminal.
Napi::Value make_raw(const Napi::CallbackInfo& info) {
  int fd = info[0].As<Napi::Number>().Int32Value();
  termios before;
  if (tcgetattr(fd, &before) < 0) return Napi::Number::New(info.Env(), errno);
  termios raw = before;
  cfmakeraw(&raw);
  if (tcsetattr(fd, TCSANOW, &raw) < 0) return Napi::Number::New(info.Env(), errno);
  return Napi::Buffer<char>::Copy(info.Env(), reinterpret_cast<const char*>(&before), sizeof before);
}

// setTerminal(fd: number, settings: Buffer) -> errno; what makeRaw() returned.
Napi::Value set_terminal(const Napi::CallbackInfo& info) {
  int fd = info[0].As<Napi::Number>().Int32Value();
  auto settings = info[1].As<Napi::Buffer<char>>();
  if (settings.Length() != sizeof(termios)) return Napi::Number::New(info.Env(), EINVAL);
  int result = tcsetattr(fd, TCSANOW, reinterpret_cast<const termios*>(settings.Data()));
  return Napi::Number::New(info.Env(), result < 0 ? errno : 0);
}

}  // namespace

void export_terminal(Napi::Env env, Napi::Object exports) {
  exports.Set("makeRaw", Napi::Function::New(env, make_raw, "makeRaw"));
  exports.Set("setTerminal", Napi::Function::New(env, set_terminal, "setTerminal"));
}

}  // namespace jubako::napi
