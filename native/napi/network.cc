#include "network.h"

#include <linux/netlink.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "../net/netlink.h"
#include "../sys/fd.h"
#include "task.h"

namespace jubako::napi {

namespace {

// Kept for as long as the thread lives: closing one of nf_tables waits until the kernel has freed what others deleted.
int kept_socket(int protocol, Failure& f) {
  static thread_local Fd sockets[2];
  Fd& socket = sockets[protocol == NETLINK_NETFILTER];
  if (!socket) socket.reset(open_netlink(protocol, f));
  return socket.get();
}

// netlink(protocol: number, what: string, messages: Uint8Array, tolerated: Int32Array) -> Buffer: the kernel's answers.
// Throws a failure. A handful of messages takes microseconds, so it is synchronous.
Napi::Value netlink(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int protocol = info[0].As<Napi::Number>().Int32Value();
  std::string what = info[1].As<Napi::String>();
  auto messages = info[2].As<Napi::Uint8Array>();
  auto tolerated = info[3].As<Napi::Int32Array>();
  Failure failure;
  Replies replies;
  int socket = kept_socket(protocol, failure);
  bool good = socket >= 0 && exchange(socket, what.c_str(), messages.Data(), messages.ByteLength(), tolerated.Data(),
                                      tolerated.ElementLength(), &replies, failure);
  Napi::Value result = env.Undefined();
  if (good)
    result = Napi::Buffer<uint8_t>::Copy(env, replies.data, replies.size);
  else
    napi_throw(env, failure_object(env, failure));
  free(replies.data);
  return result;
}

// linkIndex(name: string) -> number; 0: there is no link of that name.
Napi::Value index_of(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string name = info[0].As<Napi::String>();
  Failure failure;
  uint32_t index = 0;
  int socket = kept_socket(NETLINK_ROUTE, failure);
  if (socket < 0) {
    napi_throw(env, failure_object(env, failure));
    return env.Undefined();
  }
  link_index(socket, name.c_str(), index, failure);
  return Napi::Number::New(env, index);
}

}  // namespace

void export_network(Napi::Env env, Napi::Object exports) {
  exports.Set("netlink", Napi::Function::New(env, netlink, "netlink"));
  exports.Set("linkIndex", Napi::Function::New(env, index_of, "linkIndex"));
}

}  // namespace jubako::napi
