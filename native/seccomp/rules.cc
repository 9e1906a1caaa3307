#include "rules.h"

namespace jubako::seccomp {

namespace {

constexpr uint32_t kArguments = 6;
// No sane profile comes near; keeps a broken one from taking the memory.
constexpr uint32_t kMostRules = 1 << 16;

bool parse(Reader& reader, Condition& condition) {
  condition.index = reader.u32();
  condition.compare = static_cast<Compare>(reader.u32());
  condition.word = reader.u32() != 0;
  condition.value = reader.u64();
  condition.mask = reader.u64();
  return reader.ok() && condition.index < kArguments && condition.compare < Compare::kCount;
}

bool parse(Reader& reader, Rule& rule) {
  rule.name = reader.text();
  rule.action = reader.u32();
  uint32_t count = reader.u32();
  if (!reader.ok() || count > kArguments) return false;
  rule.conditions.resize(count);
  for (Condition& condition : rule.conditions)
    if (!parse(reader, condition)) return false;
  return true;
}

}  // namespace

bool parse(Reader reader, Filter& filter) {
  uint32_t archs = reader.u32();
  if (!reader.ok() || archs == 0 || archs > static_cast<uint32_t>(Arch::kCount)) return false;
  for (uint32_t i = 0; i < archs; i++) {
    Arch arch = static_cast<Arch>(reader.u32());
    if (arch >= Arch::kCount) return false;
    filter.archs.push_back(arch);
  }
  filter.default_action = reader.u32();
  filter.newer_action = reader.u32();
  filter.bad_arch_action = reader.u32();
  filter.x32_action = reader.u32();
  uint32_t rules = reader.u32();
  if (!reader.ok() || rules > kMostRules) return false;
  filter.rules.resize(rules);
  for (Rule& rule : filter.rules)
    if (!parse(reader, rule)) return false;
  return reader.ok() && reader.left() == 0;
}

}  // namespace jubako::seccomp
