#include "tar_reader.h"

#include "sparse.h"

namespace jubako::archive {

namespace {

// pax and GNU headers in front of one member. Writers use at most three.
constexpr int kMaxMetaHeaders = 32;

// Members of these types have no data, whatever their size field says.
bool has_data(char type) { return std::string_view("123456").find(type) == std::string_view::npos; }

}  // namespace

bool TarReader::fill() {
  if (chunk_.size > 0) return true;
  chunk_ = ring_.next(consumer_);
  bytes_ += chunk_.size;
  return chunk_.size > 0;
}

const uint8_t* TarReader::block() {
  if (!fill()) return nullptr;
  if (chunk_.size < kBlock) {
    truncated();
    return nullptr;
  }
  const uint8_t* block = chunk_.data;
  chunk_ = {chunk_.data + kBlock, chunk_.size - kBlock};
  return block;
}

Span TarReader::read() {
  if (left_ == 0) return {};
  if (!fill()) {
    truncated();
    return {};
  }
  const size_t size = chunk_.size < left_ ? chunk_.size : static_cast<size_t>(left_);
  const Span piece{chunk_.data, size};
  chunk_ = {chunk_.data + size, chunk_.size - size};
  left_ -= size;
  return piece;
}

bool TarReader::skip_member() {
  while (left_ > 0) {
    if (read().size == 0) return false;
  }
  // A stream may end right after its last byte of data, without the padding.
  if (padding_ > 0 && fill()) {
    if (chunk_.size < padding_) return truncated();
    chunk_ = {chunk_.data + padding_, chunk_.size - padding_};
  }
  padding_ = 0;
  return true;
}

bool TarReader::text(uint64_t size, Text& to) {
  if (size > kMaxMetadata) return fault_.limit({"an extended header has more than 1 MiB"});
  left_ = size;
  padding_ = (kBlock - size % kBlock) % kBlock;
  to.clear();
  while (left_ > 0) {
    const Span piece = read();
    if (piece.size == 0) return false;
    to.append({reinterpret_cast<const char*>(piece.data), piece.size});
  }
  return skip_member();
}

void TarReader::drain() {
  while (fill()) chunk_ = {};
}

bool TarReader::count() {
  if (++count_ <= limits_.max_entries) return true;
  return fault_.limit({"the layer has more than ", Decimal(limits_.max_entries), " entries"});
}

TarReader::Next TarReader::next(Entry& entry) {
  if (!skip_member()) return Next::kFailed;
  has_pax_ = has_long_name_ = has_long_link_ = false;
  for (int headers = 0; headers <= kMaxMetaHeaders; headers++) {
    const uint8_t* at = nullptr;
    switch (header(entry, at)) {
      case Meta::kEntry: return finish(entry, at) ? Next::kEntry : Next::kFailed;
      case Meta::kEnd:
        if (headers == 0) return Next::kEnd;
        truncated();
        return Next::kFailed;
      case Meta::kFailed: return Next::kFailed;
      case Meta::kContinue: break;
    }
  }
  fault_.malformed({"too many extended headers in front of one entry"});
  return Next::kFailed;
}

TarReader::Meta TarReader::header(Entry&, const uint8_t*& at) {
  at = block();
  if (at == nullptr) return fault_.set() ? Meta::kFailed : Meta::kEnd;
  if (is_zero_block(at)) {
    const uint8_t* second = block();
    if (second == nullptr) return fault_.set() ? Meta::kFailed : Meta::kEnd;
    if (is_zero_block(second)) return Meta::kEnd;
    fault_.malformed({"a block of zeros stands between two entries"});
    return Meta::kFailed;
  }
  if (!parse_header(at, header_, fault_) || !count()) return Meta::kFailed;
  // The size of an extended header is its own; a pax size record is about the member that follows.
  const uint64_t size = header_.numbers.size;
  bool good = true;
  switch (header_.type) {
    case 'x':
      good = text(size, records_) && pax_.parse(records_.view(), fault_);
      has_pax_ = true;
      break;
    case 'g':
      // Checked, but without effect: Docker's reader does not carry global records over to the members.
      good = text(size, records_) && pax_.parse(records_.view(), fault_);
      has_pax_ = false;
      break;
    case 'L':
      good = text(size, long_name_);
      has_long_name_ = true;
      break;
    case 'K':
      good = text(size, long_link_);
      has_long_link_ = true;
      break;
    default: return Meta::kEntry;
  }
  return good ? Meta::kContinue : Meta::kFailed;
}

bool TarReader::finish(Entry& entry, const uint8_t* at) {
  entry.mode = header_.mode;
  entry.major = header_.major;
  entry.minor = header_.minor;
  entry.numbers = header_.numbers;
  entry.name.assign(header_.name.view());
  entry.link.assign(header_.link.view());
  entry.xattrs.clear();
  entry.extents.clear();
  entry.sparse = false;
  if (has_pax_) {
    if (pax_.has_path) entry.name.assign(pax_.path.view());
    if (pax_.has_link) entry.link.assign(pax_.link.view());
    if (pax_.has_size) entry.numbers.size = pax_.numbers.size;
    if (pax_.has_uid) entry.numbers.uid = pax_.numbers.uid;
    if (pax_.has_gid) entry.numbers.gid = pax_.numbers.gid;
    if (pax_.has_mtime) {
      entry.numbers.mtime = pax_.numbers.mtime;
      entry.numbers.mtime_ns = pax_.numbers.mtime_ns;
    }
    for (const Xattrs::Item& item : pax_.xattrs.items()) {
      entry.xattrs.set(pax_.xattrs.name(item), pax_.xattrs.value(item));
    }
  }
  if (has_long_name_) entry.name.assign(until_nul(long_name_.view()));
  if (has_long_link_) entry.link.assign(until_nul(long_link_.view()));
  fault_.at(entry.name.view());

  entry.type = header_.type == '7' ? '0' : header_.type;
  if (entry.type == '\0') entry.type = !entry.name.empty() && entry.name.view().back() == '/' ? '5' : '0';
  if (!has_data(entry.type)) entry.numbers.size = 0;
  left_ = entry.numbers.size;
  padding_ = (kBlock - left_ % kBlock) % kBlock;
  entry.logical_size = entry.numbers.size;
  return apply_sparse(entry, at);
}

bool TarReader::apply_sparse(Entry& entry, const uint8_t* at) {
  if (entry.type == 'S') {
    entry.type = '0';
    bool more = false;
    if (!gnu_sparse_header(at, entry, more, fault_)) return false;
    while (more) {
      const uint8_t* extension = block();
      if (extension == nullptr) return truncated();
      if (!gnu_sparse_extension(extension, entry, more, fault_)) return false;
    }
    return check_sparse(entry, fault_);
  }
  if (!has_pax_ || entry.type != '0') return true;
  const bool in_data = pax_.sparse_major.view() == "1" && pax_.sparse_minor.view() == "0";
  if (!in_data && !pax_.has_sparse_map) return true;
  entry.sparse = true;
  if (!pax_.sparse_name.empty()) {
    entry.name.assign(pax_.sparse_name.view());
    fault_.at(entry.name.view());
  }
  if (pax_.has_sparse_size) entry.logical_size = pax_.sparse_size;
  if (in_data) {
    if (!read_sparse_map(entry)) return false;
  } else {
    entry.extents.append(pax_.extents.data(), pax_.extents.size());
  }
  return check_sparse(entry, fault_);
}

bool TarReader::read_sparse_map(Entry& entry) {
  SparseMapReader reader;
  for (;;) {
    if (left_ < kBlock) return fault_.malformed({"invalid map of a sparse file"});
    const uint8_t* at = block();
    if (at == nullptr) return truncated();
    left_ -= kBlock;
    const SparseMapReader::State state = reader.block(at, entry, fault_);
    if (state == SparseMapReader::State::kFailed) return false;
    if (state == SparseMapReader::State::kDone) break;
  }
  entry.numbers.size = left_;
  return true;
}

}  // namespace jubako::archive
