// What is PTX and is not supported, with the sentence that says so.
#pragma once
#include <span>
#include <string_view>

namespace tessera::vgpu::ptx {

// For an instruction's words (opcode and modifiers, without dots): why it is refused, "" when nothing speaks against
// it.
std::string_view refusal(std::span<const std::string_view> words);

} // namespace tessera::vgpu::ptx
