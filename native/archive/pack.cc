#include "pack.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <new>

#include "gate.h"

namespace jubako::archive {

namespace {

constexpr size_t kStack = size_t{256} << 10;
constexpr int kMaxCompressors = Ring::kMaxConsumers - 1;

bool write_all(int fd, Span bytes, Fault& fault) {
  while (bytes.size > 0) {
    const ssize_t count = write(fd, bytes.data, bytes.size);
    if (count >= 0) {
      bytes.data += count;
      bytes.size -= static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      pollfd waiting{fd, POLLOUT, 0};
      poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      return fault.system("write", errno, {"the archive cannot be written"});
    }
  }
  return true;
}

/** Lets several threads do what must be done in the order of the chunks. */
class Turns {
 public:
  void wait_for(uint64_t turn) {
    pthread_mutex_lock(&mutex_);
    while (now_ != turn) pthread_cond_wait(&changed_, &mutex_);
    pthread_mutex_unlock(&mutex_);
  }
  void pass() {
    pthread_mutex_lock(&mutex_);
    now_++;
    pthread_cond_broadcast(&changed_);
    pthread_mutex_unlock(&mutex_);
  }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed_ = PTHREAD_COND_INITIALIZER;
  uint64_t now_ = 0;
};

}  // namespace

struct Pack::State {
  explicit State(const PackRequest& wanted) : request(wanted) {}
  const PackRequest request;
  Gate gate;
  Ring ring;
  Sha256 hash;
  pthread_t hasher{};

  struct Writer {
    State* state = nullptr;
    int number = 0;
    pthread_t thread{};
    Compressor compressor;
  };
  Writer writers[kMaxCompressors];
  int writer_count = 0;
  // Guarded by the turns: chunk after chunk.
  Turns turns;
  Sha256 written_hash;
  uint64_t written = 0;
  Fault fault;
  std::atomic<bool> stop{false};

  static void* hash_main(void* pointer) {
    State& state = *static_cast<State*>(pointer);
    state.gate.pass();
    const int consumer = state.writer_count;
    for (Span chunk = state.ring.next(consumer); chunk.size > 0; chunk = state.ring.next(consumer)) {
      state.hash.update(chunk.data, chunk.size);
    }
    return nullptr;
  }

  static void* write_main(void* pointer) {
    Writer& self = *static_cast<Writer*>(pointer);
    State& state = *self.state;
    state.gate.pass();
    uint64_t number = 0;
    for (Span chunk = state.ring.next(self.number); chunk.size > 0; chunk = state.ring.next(self.number)) {
      // Every writer sees every chunk and takes each of its own.
      if (number++ % static_cast<uint64_t>(state.writer_count) != static_cast<uint64_t>(self.number)) continue;
      // After a failure the chunks are only taken, so that nobody waits for room.
      const Span bytes = state.stop.load(std::memory_order_relaxed) ? Span{} : self.compressor.compress(chunk);
      state.turns.wait_for(number - 1);
      if (!state.stop.load(std::memory_order_relaxed) && !state.put(bytes)) state.stop.store(true);
      state.turns.pass();
    }
    return nullptr;
  }

  bool put(Span bytes) {
    if (bytes.size == 0) return fault.system("compress", ENOMEM);
    if (request.compression != Compression::kNone) written_hash.update(bytes.data, bytes.size);
    written += bytes.size;
    return write_all(request.output, bytes, fault);
  }
};

bool Pack::start(const PackRequest& request, Fault& fault) {
  const bool compressed = request.compression != Compression::kNone;
  state_ = new (std::nothrow) State(request);
  if (state_ == nullptr) return fault.system("mmap", ENOMEM);
  State& state = *state_;
  if (request.output >= 0) {
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    state.writer_count = !compressed || processors < 2 ? 1 : processors < kMaxCompressors ? 2 : kMaxCompressors;
  }
  if (!state.ring.open(state.writer_count + (request.hash ? 1 : 0))) return fault.system("mmap", ENOMEM);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  int error = request.hash ? pthread_create(&state.hasher, &attributes, State::hash_main, &state) : 0;
  for (int i = 0; error == 0 && i < state.writer_count; i++) {
    State::Writer& writer = state.writers[i];
    writer.state = &state;
    writer.number = i;
    error = writer.compressor.open(request.compression, request.level)
                ? pthread_create(&writer.thread, &attributes, State::write_main, &writer)
                : ENOMEM;
  }
  pthread_attr_destroy(&attributes);
  return error == 0 || fault.system("clone3", error, {"a thread cannot be started"});
}

bool Pack::run(Walk& walk, PackResult& result, Fault& fault) {
  State& state = *state_;
  state.gate.open();
  Sink sink(state.ring);
  TreePacker packer(state.request.form, state.request.tolerant, sink, state.stop, fault);
  const bool good = walk.run(packer, fault);
  if (good) {
    packer.end();
  } else {
    // Who takes the bytes must not take them for the whole.
    state.stop.store(true);
  }
  sink.finish();
  if (state.request.hash) pthread_join(state.hasher, nullptr);
  for (int i = 0; i < state.writer_count; i++) pthread_join(state.writers[i].thread, nullptr);
  if (state.fault.set()) fault.replace(state.fault);
  if (!good || fault.set()) return false;
  state.hash.finish(result.diff_id);
  result.size = sink.total();
  result.written = state.written;
  if (state.request.compression != Compression::kNone) {
    state.written_hash.finish(result.digest);
  } else {
    std::memcpy(result.digest, result.diff_id, sizeof result.digest);
  }
  result.entries = packer.entries();
  result.bytes = packer.bytes();
  return true;
}

}  // namespace jubako::archive
