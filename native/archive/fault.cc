#include "fault.h"

namespace jubako::archive {

namespace {
// An entry's name can be a megabyte of hostile bytes; a failure record stays small.
constexpr size_t kNamed = 512;
}  // namespace

bool Fault::fail(FaultKind kind, std::initializer_list<std::string_view> reason) {
  if (set()) return false;
  kind_ = kind;
  entry_.assign(take(current_, kNamed));
  for (std::string_view part : reason) reason_.append(take(part, kNamed));
  return false;
}

void Fault::replace(const Fault& other) {
  kind_ = other.kind_;
  error_ = other.error_;
  call_ = other.call_;
  reason_.assign(other.reason_.view());
}

bool Fault::system(const char* call, int error, std::initializer_list<std::string_view> reason) {
  if (set()) return false;
  fail(FaultKind::kSystem, reason);
  call_ = call;
  error_ = error;
  return false;
}

}  // namespace jubako::archive
