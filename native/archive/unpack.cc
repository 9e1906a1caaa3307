#include "unpack.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include <new>

#include "gate.h"
#include "tree_writer.h"

namespace jubako::archive {

namespace {

constexpr int kParser = 0, kHasher = 1, kConsumers = 2;
constexpr size_t kStack = size_t{256} << 10;
constexpr uint64_t kProgressStep = uint64_t{4} << 20;

}  // namespace

struct Unpack::State {
  explicit State(const UnpackRequest& wanted)
      : request(wanted), source(wanted.blob, wanted.compressed_size, wanted.growth) {}
  const UnpackRequest request;
  Gate gate;
  Ring ring;
  Source source;
  Fault decode_fault;
  Sha256 hash;
  uint64_t hashed = 0;
  pthread_t decoder{};
  pthread_t hasher{};

  static void* decode_main(void* pointer) {
    State& state = *static_cast<State*>(pointer);
    state.gate.pass();
    Output output(state.ring, state.source, state.request.limits, state.decode_fault);
    decode(state.source, state.request.compression, output, state.decode_fault);
    output.flush();
    state.ring.finish();
    return nullptr;
  }

  static void* hash_main(void* pointer) {
    State& state = *static_cast<State*>(pointer);
    state.gate.pass();
    for (Span chunk = state.ring.next(kHasher); chunk.size > 0; chunk = state.ring.next(kHasher)) {
      state.hash.update(chunk.data, chunk.size);
      state.hashed += chunk.size;
    }
    return nullptr;
  }
};

bool Unpack::start(const UnpackRequest& request, Fault& fault) {
  state_ = new (std::nothrow) State(request);
  if (state_ == nullptr || !state_->ring.open(kConsumers) || !state_->source.open())
    return fault.system("mmap", ENOMEM);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  int error = pthread_create(&state_->decoder, &attributes, State::decode_main, state_);
  if (error == 0) error = pthread_create(&state_->hasher, &attributes, State::hash_main, state_);
  pthread_attr_destroy(&attributes);
  return error == 0 || fault.system("clone3", error, {"a thread cannot be started"});
}

bool Unpack::run(const OpaqueMarks& marks, UnpackObserver& observer, UnpackResult& result, Fault& fault) {
  State& state = *state_;
  const UnpackRequest& request = state.request;
  state.gate.open();
  TarReader reader(state.ring, kParser, request.limits, fault);
  TreeWriter writer(request.root, request.barriers, request.placement, marks, request.limits, reader, fault);
  Entry entry;
  uint64_t reported = 0;
  bool good = true;
  while (good) {
    const TarReader::Next next = reader.next(entry);
    if (next == TarReader::Next::kEnd) break;
    good = next == TarReader::Next::kEntry && writer.write(entry);
    if (reader.bytes() - reported >= kProgressStep) {
      reported = reader.bytes();
      observer.progress(state.source.bytes_read(), reported);
    }
  }
  if (good) reader.drain();
  // Whoever fills a pipe may wait for the answer before it sends more: the decoder may never come back from its read.
  if (!good && !state.ring.finished()) return false;
  pthread_join(state.decoder, nullptr);
  // A stream that breaks off looks like a short tar archive; what broke is the better answer.
  if (state.decode_fault.set()) {
    fault.replace(state.decode_fault);
    return false;
  }
  if (!good) return false;
  pthread_join(state.hasher, nullptr);
  if (!writer.finish(state.source.bytes_for_ratio())) return false;
  state.hash.finish(result.diff_id);
  result.uncompressed = state.hashed;
  result.compressed = state.source.bytes_read();
  result.entries = writer.entries();
  result.size = writer.bytes();
  writer.implicit().each([&observer](std::string_view path) { observer.implicit(path); });
  return true;
}

}  // namespace jubako::archive
