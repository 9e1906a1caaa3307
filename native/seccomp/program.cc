#include "program.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <map>

namespace jubako::seccomp {

namespace {

constexpr uint32_t kX32Bit = 0x40000000;  // __X32_SYSCALL_BIT

// The program is built from its end: everything a jump goes to is there already, and its distance known.
class Emitter {
 public:
  // A place in the program, counted from its end.
  using Label = size_t;

  // The instruction emitted last, that is, the next one to run.
  Label here() const { return backwards_.size(); }

  Label answer(uint32_t action) {
    if (auto known = answers_.find(action); known != answers_.end() && reachable(known->second)) return known->second;
    push(BPF_RET | BPF_K, action);
    return answers_[action] = here();
  }

  void load(uint32_t offset) { push(BPF_LD | BPF_W | BPF_ABS, offset); }
  void mask(uint32_t bits) { push(BPF_ALU | BPF_AND | BPF_K, bits); }

  // Makes what is emitted next go on at `to`.
  void go_to(Label to) {
    if (to != here()) bridge(to);
  }

  // `code` is BPF_JEQ, BPF_JGE or BPF_JGT.
  void branch(uint16_t code, uint32_t value, Label yes, Label no) {
    // A conditional jump spans 255 instructions; what is farther away gets a jump of its own.
    if (here() + 1 - no > 250) no = bridge(no);
    if (here() + 1 - yes > 250) yes = bridge(yes);
    size_t at = here() + 1;
    backwards_.push_back({static_cast<uint16_t>(BPF_JMP | code | BPF_K), static_cast<uint8_t>(at - yes - 1),
                          static_cast<uint8_t>(at - no - 1), value});
  }

  std::vector<sock_filter> program() const { return {backwards_.rbegin(), backwards_.rend()}; }

 private:
  bool reachable(Label label) const { return here() - label < 200; }
  void push(uint16_t code, uint32_t k) { backwards_.push_back({code, 0, 0, k}); }
  Label bridge(Label to) {
    push(BPF_JMP | BPF_JA, static_cast<uint32_t>(here() - to));
    return here();
  }

  std::vector<sock_filter> backwards_;
  std::map<uint32_t, Label> answers_;
};

using Label = Emitter::Label;

// 0 is the strictest; the kernel's own order (seccomp(2), "Actions ... in decreasing order of precedence").
int laxity(uint32_t action) {
  switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_KILL_PROCESS: return 0;
    case SECCOMP_RET_KILL_THREAD: return 1;
    case SECCOMP_RET_TRAP: return 2;
    case SECCOMP_RET_ERRNO: return 3;
    case SECCOMP_RET_USER_NOTIF: return 4;
    case SECCOMP_RET_TRACE: return 5;
    case SECCOMP_RET_LOG: return 6;
    default: return 7;
  }
}

// What is answered to a range of calls: a constant, or the first of some rules whose conditions hold.
struct Answer {
  std::vector<const Rule*> rules;  // conditional ones, strictest first
  uint32_t otherwise;
  bool operator==(const Answer&) const = default;
};

struct Range {
  uint32_t first;
  Answer answer;
  uint32_t weight;  // how often it is asked for, by guess: the calls it lets through
};

uint32_t word_offset(uint32_t index, bool high) {
  constexpr bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  return offsetof(seccomp_data, args) + index * 8 + (high == little ? 4 : 0);
}

// Goes to `yes` when the condition holds, else to `no`. Returns where it starts.
Label emit_condition(Emitter& out, const Condition& c, Label yes, Label no) {
  auto high = static_cast<uint32_t>(c.value >> 32), low = static_cast<uint32_t>(c.value);
  auto high_mask = static_cast<uint32_t>(c.mask >> 32), low_mask = static_cast<uint32_t>(c.mask);

  // The low words, given that the high ones are equal.
  switch (c.compare) {
    case Compare::kEqual:
    case Compare::kMaskedEqual: out.branch(BPF_JEQ, low, yes, no); break;
    case Compare::kNotEqual: out.branch(BPF_JEQ, low, no, yes); break;
    case Compare::kGreater: out.branch(BPF_JGT, low, yes, no); break;
    case Compare::kGreaterEqual: out.branch(BPF_JGE, low, yes, no); break;
    case Compare::kLess: out.branch(BPF_JGE, low, no, yes); break;
    default: out.branch(BPF_JGT, low, no, yes); break;  // kLessEqual
  }
  if (c.compare == Compare::kMaskedEqual) out.mask(low_mask);
  out.load(word_offset(c.index, false));
  if (c.word) return out.here();

  Label equal = out.here();
  switch (c.compare) {
    case Compare::kEqual:
    case Compare::kMaskedEqual: out.branch(BPF_JEQ, high, equal, no); break;
    case Compare::kNotEqual: out.branch(BPF_JEQ, high, equal, yes); break;
    case Compare::kGreater:
    case Compare::kGreaterEqual:
      out.branch(BPF_JEQ, high, equal, no);
      out.branch(BPF_JGT, high, yes, out.here());
      break;
    default:
      out.branch(BPF_JEQ, high, equal, yes);
      out.branch(BPF_JGT, high, no, out.here());
      break;
  }
  if (c.compare == Compare::kMaskedEqual) out.mask(high_mask);
  out.load(word_offset(c.index, true));
  return out.here();
}

Label emit_answer(Emitter& out, const Answer& answer) {
  Label next = out.answer(answer.otherwise);
  for (auto rule = answer.rules.rbegin(); rule != answer.rules.rend(); ++rule) {
    Label yes = out.answer((*rule)->action);
    const std::vector<Condition>& conditions = (*rule)->conditions;
    for (auto c = conditions.rbegin(); c != conditions.rend(); ++c) yes = emit_condition(out, *c, yes, next);
    next = yes;
  }
  return next;
}

// Where the search over ranges [from, to) starts; the number is in the accumulator.
Label emit_search(Emitter& out, const std::vector<Range>& ranges, size_t from, size_t to) {
  if (to - from == 1) return emit_answer(out, ranges[from].answer);
  uint64_t total = 0, left = 0;
  for (size_t i = from; i < to; i++) total += ranges[i].weight;
  size_t middle = from;
  // The boundary nearest to half of the weight: what is called often is found soon.
  while (middle + 1 < to && (left + ranges[middle].weight) * 2 <= total) left += ranges[middle++].weight;
  if (middle + 1 < to && total - 2 * left > 2 * (left + ranges[middle].weight) - total) middle++;
  middle = std::clamp(middle, from + 1, to - 1);
  Label above = emit_search(out, ranges, middle, to);
  Label below = emit_search(out, ranges, from, middle);
  out.branch(BPF_JGE, ranges[middle].first, above, below);
  return out.here();
}

// The answers for an architecture's calls, merged where they are the same.
std::vector<Range> make_ranges(const Filter& filter, Arch arch) {
  std::map<uint32_t, std::vector<const Rule*>> by_number;
  for (const Rule& rule : filter.rules)
    if (int64_t number = syscall_number(rule.name, arch); number >= 0)
      by_number[static_cast<uint32_t>(number)].push_back(&rule);

  std::vector<Range> ranges;
  auto add = [&](uint32_t first, Answer answer, uint32_t weight) {
    if (!ranges.empty() && ranges.back().answer == answer)
      ranges.back().weight += weight;
    else
      ranges.push_back({first, std::move(answer), weight});
  };
  Answer nothing{{}, filter.default_action};
  uint32_t next = 0;
  for (auto& [number, rules] : by_number) {
    if (number > next) add(next, nothing, 1);
    auto stricter = [](const Rule* a, const Rule* b) { return laxity(a->action) < laxity(b->action); };
    std::stable_sort(rules.begin(), rules.end(), stricter);
    auto always = std::find_if(rules.begin(), rules.end(), [](const Rule* rule) { return rule->conditions.empty(); });
    Answer answer{{rules.begin(), always}, always == rules.end() ? filter.default_action : (*always)->action};
    // read(2) and write(2) are most of what most programs call.
    add(number, std::move(answer), (number & ~kX32Bit) < 2 ? 100 : 1);
    next = number + 1;
  }
  add(next, {{}, by_number.empty() ? filter.default_action : filter.newer_action}, 1);
  return ranges;
}

constexpr uint32_t audit_arch(Arch arch) {
  switch (arch) {
    case Arch::kI386: return AUDIT_ARCH_I386;
    case Arch::kAarch64: return AUDIT_ARCH_AARCH64;
    default: return AUDIT_ARCH_X86_64;  // x32 too: it is told apart by the number
  }
}

Label emit_arch(Emitter& out, const Filter& filter, Arch arch) {
  std::vector<Range> ranges = make_ranges(filter, arch);
  Label search = emit_search(out, ranges, 0, ranges.size());
  if (arch == Arch::kX86_64) {
    Label x32;
    if (std::find(filter.archs.begin(), filter.archs.end(), Arch::kX32) == filter.archs.end()) {
      x32 = out.answer(filter.x32_action);
    } else {
      std::vector<Range> x32_ranges = make_ranges(filter, Arch::kX32);
      x32 = emit_search(out, x32_ranges, 0, x32_ranges.size());
    }
    out.branch(BPF_JGE, kX32Bit, x32, search);
  } else {
    out.go_to(search);
  }
  out.load(offsetof(seccomp_data, nr));
  return out.here();
}

}  // namespace

bool assemble(const Filter& filter, std::vector<sock_filter>& program, Failure& failure) {
  Emitter out;
  Label next = out.answer(filter.bad_arch_action);
  std::vector<Arch> archs;
  for (Arch arch : filter.archs)
    if (arch != Arch::kX32) archs.push_back(arch);
  if (archs.empty()) return fail(failure, EINVAL, "seccomp", "x32 without x86_64");
  for (auto arch = archs.rbegin(); arch != archs.rend(); ++arch) {
    Label body = emit_arch(out, filter, *arch);
    out.branch(BPF_JEQ, audit_arch(*arch), body, next);
    next = out.here();
  }
  out.load(offsetof(seccomp_data, arch));
  program = out.program();
  if (program.size() > BPF_MAXINSNS) return fail(failure, E2BIG, "seccomp", "program");
  return true;
}

}  // namespace jubako::seccomp
