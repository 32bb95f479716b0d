// vgpu_model_eval FOLDER: answers "CHIP c1 .. c13" lines on stdin with the modelled microseconds of that chip's rows.
// The fit script drives it, so that the model exists once, in C++.
#include "runtime/vgpu/model/measured.h"

#include <cstdio>
#include <iostream>
#include <sstream>

using namespace tessera::vgpu;

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: vgpu_model_eval FOLDER\n");
    return 2;
  }
  auto rows = readMeasured(argv[1]);
  if (!rows) {
    std::fprintf(stderr, "%s\n", rows.error().message.c_str());
    return 1;
  }
  std::printf("constants");
  for (const std::string_view name : Calibration::names)
    std::printf(" %.*s", int(name.size()), name.data());
  std::printf("\nrows %zu\n", rows->size());
  for (const Measured &m : *rows)
    std::printf("%s %s %.*s %d %.9g %gx%gx%gx%g %s\n", m.chip.c_str(), m.op.c_str(), int(m.family().size()),
                m.family().data(), int(m.heldOut), m.microseconds, m.batch, m.rows, m.inner, m.cols,
                m.kernel.find(' ') == std::string::npos ? m.kernel.c_str() : "-");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string id;
    words >> id;
    Calibration calibration;
    for (double *field : calibration.fields())
      words >> *field;
    const Chip *chip = chipNamed(id);
    if (!words || !chip) {
      std::fprintf(stderr, "not a chip and its constants: %s\n", line.c_str());
      return 1;
    }
    std::string answer;
    for (const Measured &m : *rows)
      if (m.chip == id) {
        auto estimate = estimateMeasured(*chip, calibration, m);
        answer +=
            (estimate ? std::to_string(estimate->microseconds) + ":" + std::string(estimate->bound) : "nan:-") + ' ';
      }
    std::printf("%s\n", answer.c_str());
    std::fflush(stdout);
  }
}
