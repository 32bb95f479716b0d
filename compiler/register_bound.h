// RegisterBound: the most registers a thread of one entry of a PTX text may take (.maxnreg), read and changed.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tessera {

// 0 where the entry declares none; nothing where the text has no such entry, or where its roles share out the block's
// registers themselves (setmaxnreg), so that the bound is what they start from.
std::optional<int64_t> registerBound(std::string_view ptx, std::string_view entry);

// Declares `registers` for an entry that registerBound() knows.
void setRegisterBound(std::string &ptx, std::string_view entry, int64_t registers);

} // namespace tessera
