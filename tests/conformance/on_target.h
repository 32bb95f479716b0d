// OnTarget: the fixture of a suite that runs once for every CPU row of this machine.
#pragma once
#include "tests/conformance/harness.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace tessera::conformance {

class OnTarget : public testing::TestWithParam<const Target *> {
protected:
  const Target &target() const { return *GetParam(); }
};

inline std::string targetName(const testing::TestParamInfo<const Target *> &row) {
  std::string name(row.param->name);
  std::ranges::replace(name, '-', '_'); // a GoogleTest name is an identifier
  return name;
}

} // namespace tessera::conformance
