// What workers of src/archive tell their starter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../archive/fault.h"
#include "../sys/failure.h"

namespace jubako {

// False when nobody listens any more.
bool send_frame(uint32_t type, const void* data, size_t size);

void send_fault(const archive::Fault& fault);

[[noreturn]] void give_up(const Failure& failure);

}  // namespace jubako
