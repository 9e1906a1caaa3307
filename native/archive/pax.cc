#include "pax.h"

#include "pax_text.h"

namespace jubako::archive {

namespace {

constexpr std::string_view kSchily = "SCHILY.xattr.";
constexpr std::string_view kLibarchive = "LIBARCHIVE.xattr.";
constexpr std::string_view kSparse = "GNU.sparse.";

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

/** Takes one record off the front of `rest`. */
bool take_record(std::string_view& rest, std::string_view& key, std::string_view& value) {
  const size_t space = rest.find(' ');
  uint64_t length;
  if (space == std::string_view::npos || !parse_decimal(take(rest, space), length)) return false;
  if (length > rest.size() || length < space + 2) return false;
  std::string_view record = drop(take(rest, length), space + 1);
  rest = drop(rest, length);
  if (record.back() != '\n') return false;
  record.remove_suffix(1);
  const size_t equals = record.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  key = take(record, equals);
  value = drop(record, equals + 1);
  return true;
}

}  // namespace

void PaxRecords::clear() {
  has_path = has_link = has_size = has_uid = has_gid = has_mtime = has_sparse_map = has_sparse_size = false;
  xattrs.clear();
  extents.clear();
  sparse_major.clear();
  sparse_minor.clear();
  sparse_name.clear();
}

bool PaxRecords::parse(std::string_view records, Fault& fault) {
  clear();
  size_t count = 0;
  while (!records.empty()) {
    std::string_view key, value;
    if (!take_record(records, key, value)) return fault.malformed({"a pax header is not well formed"});
    // Format 0.0 of GNU sparse files has two records for each run of data; the size of the header bounds those.
    const bool run = key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes";
    if (!run && ++count > kMaxPaxRecords) {
      return fault.limit({"a pax header has more than ", Decimal(kMaxPaxRecords), " records"});
    }
    if (!record(key, value, fault)) return false;
  }
  return true;
}

bool PaxRecords::record(std::string_view key, std::string_view value, Fault& fault) {
  // A name that ends early for the kernel but not for a scanner would smuggle one file as another.
  if (has_nul(key)) return fault.malformed({"a pax key contains NUL"});
  if (take(key, kSchily.size()) == kSchily) {
    xattrs.set(drop(key, kSchily.size()), value);
    return true;
  }
  if (take(key, kLibarchive.size()) == kLibarchive) {
    Text name, decoded;
    if (!decode_percent(drop(key, kLibarchive.size()), name) || !decode_base64(value, decoded) ||
        has_nul(name.view())) {
      return fault.malformed({"invalid ", key, " in a pax header"});
    }
    // bsdtar writes each attribute in both forms; the plain one is what others read.
    if (!xattrs.has(name.view())) xattrs.set(name.view(), decoded.view());
    return true;
  }
  // An empty value means "as in the header" (pax(1)).
  if (value.empty()) return true;
  if (take(key, kSparse.size()) == kSparse) return sparse(drop(key, kSparse.size()), value, fault);

  bool good = true;
  if (key == "path") {
    path.assign(value);
    has_path = true;
    good = !has_nul(value);
  } else if (key == "linkpath") {
    link.assign(value);
    has_link = true;
    good = !has_nul(value);
  } else if (key == "size") {
    good = has_size = parse_decimal(value, numbers.size);
  } else if (key == "uid") {
    good = has_uid = parse_decimal(value, numbers.uid);
  } else if (key == "gid") {
    good = has_gid = parse_decimal(value, numbers.gid);
  } else if (key == "mtime") {
    good = has_mtime = parse_time(value, numbers.mtime, numbers.mtime_ns);
  }
  return good || fault.malformed({"invalid ", key, " in a pax header"});
}

bool PaxRecords::sparse(std::string_view key, std::string_view value, Fault& fault) {
  bool good = true;
  if (key == "major") {
    sparse_major.assign(value);
  } else if (key == "minor") {
    sparse_minor.assign(value);
  } else if (key == "name") {
    sparse_name.assign(value);
    good = !has_nul(value);
  } else if (key == "size" || key == "realsize") {
    good = has_sparse_size = parse_decimal(value, sparse_size);
  } else if (key == "offset") {
    uint64_t offset;
    good = parse_decimal(value, offset);
    if (good) extents.push({offset, UINT64_MAX});
    has_sparse_map = true;
  } else if (key == "numbytes") {
    good = !extents.empty() && extents[extents.size() - 1].size == UINT64_MAX &&
           parse_decimal(value, extents[extents.size() - 1].size);
  } else if (key == "map") {
    extents.clear();
    has_sparse_map = true;
    while (good && !value.empty()) {
      const size_t first = value.find(',');
      const size_t second = first == std::string_view::npos ? first : value.find(',', first + 1);
      Extent extent{};
      good = first != std::string_view::npos && parse_decimal(take(value, first), extent.offset) &&
             parse_decimal(take(drop(value, first + 1), second == std::string_view::npos ? second : second - first - 1),
                           extent.size);
      extents.push(extent);
      value = second == std::string_view::npos ? std::string_view{} : drop(value, second + 1);
    }
  }
  return good || fault.malformed({"invalid GNU.sparse.", key, " in a pax header"});
}

}  // namespace jubako::archive
