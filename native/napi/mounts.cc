// Overlay mounts for users of the library. Containers have theirs made by jubako-init, in their own namespace.
#include "mounts.h"

#include <sys/mount.h>

#include <string>

#include "../mount/filesystem.h"
#include "../sys/fd.h"
#include "../sys/files.h"
#include "task.h"

namespace jubako::napi {

namespace {

bool mount_overlay(const std::string& plan, Failure& f) {
  Reader reader(reinterpret_cast<const uint8_t*>(plan.data()), plan.size());
  OverlaySpec spec = read_overlay(reader);
  const char* target = reader.text();
  if (!reader.ok() || reader.left() != 0) return fail(f, EBADMSG, "overlay plan");
  // The other form changes the current directory, which is the application's.
  if (!has_lowerdir_plus()) return fail(f, EOPNOTSUPP, "fsconfig", "overlay");
  Fd place(sys::open_file(target, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place) return fail(f, errno, "open", target);
  Fd made(make_overlay(spec, f));
  return made && attach(made.get(), place.get(), target, f);
}

// mountOverlay(plan: Uint8Array) -> Promise<void>
Napi::Value mount_overlay_async(const Napi::CallbackInfo& info) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  std::string plan(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
  return submit(
      info.Env(), [plan = std::move(plan)](Failure& f) { mount_overlay(plan, f); },
      [](Napi::Env env) { return env.Undefined(); });
}

// unmount(path: string) -> Promise<void>: what is still used goes with its last user.
Napi::Value unmount_async(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>();
  return submit(
      info.Env(),
      [path = std::move(path)](Failure& f) {
        if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0) fail(f, errno, "umount2", path.c_str());
      },
      [](Napi::Env env) { return env.Undefined(); });
}

}  // namespace

void export_mounts(Napi::Env env, Napi::Object exports) {
  exports.Set("mountOverlay", Napi::Function::New(env, mount_overlay_async));
  exports.Set("unmount", Napi::Function::New(env, unmount_async));
}

}  // namespace jubako::napi
