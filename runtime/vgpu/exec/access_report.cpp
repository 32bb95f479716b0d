#include "runtime/vgpu/exec/access_report.h"
#include <algorithm>

namespace tessera::vgpu {

AccessReport accessReport(const Launch &launch, const Report &report) {
  AccessReport access;
  const Program &program = *launch.program;
  for (size_t i = 0; i < program.code.size(); ++i) {
    const OpCount &count = report.counts[i];
    const Op &op = program.code[i];
    const Source &source = program.sources[op.source];
    if (!count.issues || source.function < 0 || source.instruction < 0)
      continue;
    std::string_view opcode =
        program.module->functions[size_t(source.function)].body[size_t(source.instruction)].opcode;
    const bool isCopy = opcode.starts_with("cp.async"); // its count is in bytes
    if (count.sectors && !opcode.starts_with("cp.async.bulk") && !opcode.starts_with("cp.reduce.async.bulk"))
      access.globalRequests[std::max<uint32_t>(op.count, 1) * (isCopy ? 1 : op.bytes)] += count.issues;
    if (opcode == "ldmatrix" && count.idealWavefronts)
      access.matrixLoadDegree =
          std::max(access.matrixLoadDegree, double(count.wavefronts) / double(count.idealWavefronts));
  }
  return access;
}

} // namespace tessera::vgpu
