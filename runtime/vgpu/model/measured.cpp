#include "runtime/vgpu/model/measured.h"

#include <charconv>
#include <cmath>
#include <fstream>
#include <map>

namespace tessera::vgpu {
namespace {
// Splits at commas outside double quotes; quotes are dropped.
std::vector<std::string> fieldsOf(const std::string &line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line)
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      fields.emplace_back();
    else if (c != '\r')
      fields.back() += c;
  return fields;
}

uint64_t fnv(std::string_view text) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash ^ hash >> 32;
}

using Row = std::map<std::string, std::string>;

bool number(const Row &row, const char *column, double &value) {
  const auto found = row.find(column);
  if (found == row.end())
    return false;
  const std::string &text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value) && value >= 0;
}

bool fill(Measured &m, Row row) {
  m.op = row["op"];
  m.chip = row["chip"] == "a100-40" ? "a100" : row["chip"]; // the name that the chip table uses
  m.kernel = row["kernel"];
  double milliseconds = 0, threads = 0;
  bool good = number(row, "latency_ms", milliseconds) && number(row, "grid_x", m.gridX) &&
              number(row, "grid_y", m.gridY) && number(row, "grid_z", m.gridZ) && number(row, "block_x", threads) &&
              threads <= 1024;
  m.microseconds = milliseconds * 1000;
  m.threads = uint32_t(threads);
  std::string shape = m.op;
  // The data set's N is the summed dimension of a matrix product and its K the columns of the result: launch grids
  // (6 x 6 tiles of 128 for M 768, N 512, K 768) leave no other reading.
  if (row.contains("M"))
    good = good && number(row, "B", m.batch) && number(row, "M", m.rows) && number(row, "N", m.inner) &&
           number(row, "K", m.cols);
  else
    good = good && number(row, "B", m.rows) && number(row, "H", m.cols);
  for (const char *column : {"B", "M", "N", "K", "H"})
    shape += "," + row[column];
  m.heldOut = fnv(shape) & 1;
  return good && milliseconds > 0;
}

// Instructions for 32 elements that leave the special-function pipe: tanh, erf (gelu) and pow are short programs.
double specialOf(std::string_view op) {
  if (op.starts_with("pow"))
    return 6;
  return op.starts_with("div") ? 1 : op == "tanh" || op == "gelu" ? 2 : 0;
}

bool binary(std::string_view op) { return op == "add" || op == "mul" || op == "div" || op == "pow"; }
} // namespace

std::string_view Measured::family() const {
  if (op == "linear" || op == "bmm" || op == "ln" || op == "softmax")
    return op;
  return "elementwise";
}

Result<std::vector<Measured>> readMeasured(const std::filesystem::path &folder) {
  std::vector<Measured> rows;
  for (const char *name : {"linear.csv", "elem.csv", "bmm.csv", "ln.csv", "softmax.csv"}) {
    const std::filesystem::path path = folder / name;
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line))
      return ioError("Cannot read '" + path.string() + "'.");
    const std::vector<std::string> header = fieldsOf(line);
    for (size_t number = 2; std::getline(file, line); ++number) {
      const std::vector<std::string> fields = fieldsOf(line);
      Row row;
      for (size_t i = 0; i < fields.size() && i < header.size(); ++i)
        row[header[i]] = fields[i];
      Measured measured;
      if (fields.size() != header.size() || !fill(measured, std::move(row)))
        return invalidArgument(path.string() + ":" + std::to_string(number) + ": not a measured launch.");
      rows.push_back(std::move(measured));
    }
  }
  return rows;
}

Result<Estimate> estimateMeasured(const Chip &chip, const Calibration &calibration, const Measured &m) {
  Work work;
  if (m.family() == "linear" || m.family() == "bmm") {
    Result<Work> gemm =
        gemmWork(chip, calibration, m.kernel,
                 {m.batch, m.rows, m.inner, m.cols, m.op == "linear", m.gridX, m.gridY, m.gridZ, m.threads});
    if (!gemm)
      return gemm.error();
    work = *gemm;
  } else if (m.family() == "elementwise") {
    work = elementwiseWork({m.rows * m.cols, binary(m.op) ? 2 : 1, specialOf(m.op), m.op.starts_with("pow") ? 30. : 4.,
                            m.gridX, m.threads});
  } else {
    const bool softmax = m.op == "softmax";
    work = rowsWork(chip, calibration,
                    {m.rows, m.cols, softmax ? (m.cols > 1024 ? 3 : 1) : 2, softmax ? 2. : 0., m.gridX, m.threads});
  }
  return estimate(chip, calibration, work.shape, work.counts);
}

} // namespace tessera::vgpu
