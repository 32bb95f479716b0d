#include "dsl/recorder.h"
#include <atomic>
#include <cctype>
#include <cmath>
#include <limits>

namespace tessera::dsl {

static thread_local Recorder *top = nullptr;
static std::atomic<uint64_t> serials = 0;

Recorder::Recorder(const std::string &kernel, Where where)
    : builder(kernel), serial(++serials), where(where), outer(std::exchange(top, this)) {
  signature.name = kernel;
  isWord(kernel, where);
}

Recorder::~Recorder() {
  if (serial)
    top = outer;
}

Recorder &Recorder::current() {
  if (top)
    return *top;
  static thread_local Recorder dead;
  dead.message = "outside of any kernel";
  return dead;
}

std::string text(const TileType &type) {
  std::string out;
  for (int64_t extent : type.shape)
    out += std::to_string(extent) + "x";
  return out + std::string(name(type.dtype));
}

std::string counted(int64_t n, const char *one, const char *many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

int64_t elementCount(const Shape &shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

std::optional<Shape> stretch(const Shape &a, const Shape &b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      return std::nullopt;
    out[out.size() - 1 - i] = std::max(x, y);
  }
  return out;
}

static std::string place(Where where) { return std::string(where.file_name()) + ":" + std::to_string(where.line()); }

void Recorder::mistake(const std::string &place, const std::string &sentence) {
  if (!message)
    message = place + ": " + sentence;
}
void Recorder::mistake(Where where, const std::string &sentence) { mistake(place(where), sentence); }

bool Recorder::usable(std::span<const Tile> tiles, Where where, const char *noun) {
  std::string it = "this " + std::string(noun);
  for (const Tile &tile : tiles) {
    if (failed())
      return false;
    if (!tile.kernel)
      mistake(where, it + " was never given a value in this kernel");
    else if (tile.kernel != serial)
      mistake(where, it + " belongs to another kernel");
    else if (!builder.inScope(tile.value))
      mistake(where, it + " was made inside a loop that has ended: only what the loop carries comes out of it");
  }
  return !failed();
}

// Constants, casts, stretching.

// Largest finite value of a float dtype.
static double largest(DType dtype) {
  return dtype == e4m3   ? 448
         : dtype == e5m2 ? 57344
         : dtype == f16  ? 65504
         : dtype == bf16 ? 3.3895313892515355e38
                         : double(std::numeric_limits<float>::max());
}

static bool fits(double value, DType dtype) {
  if (info(dtype).isFloat)
    return !std::isfinite(value) || std::abs(value) <= largest(dtype) * (1 + 1e-7);
  switch (dtype) {
  case i1:
    return value == 0 || value == 1;
  case u8:
    return value >= 0 && value <= 255;
  case i8:
    return value >= -128 && value <= 127;
  case i32:
    return value >= -0x1p31 && value < 0x1p31;
  case index:
    return value >= 0 && value < 0x1p63;
  default:
    return value >= -0x1p63 && value < 0x1p63;
  }
}

static std::string printed(const std::variant<double, int64_t> &value) {
  if (auto *n = std::get_if<int64_t>(&value))
    return std::to_string(*n);
  char text[32];
  std::snprintf(text, sizeof text, "%g", std::get<double>(value));
  return text;
}

Tile Recorder::number(std::variant<double, int64_t> value, const TileType &type, Where where) {
  if (failed())
    return poison(type);
  auto *whole = std::get_if<int64_t>(&value);
  double real = whole ? double(*whole) : std::get<double>(value);
  bool isFloat = info(type.dtype).isFloat;
  if (isPacked(type.dtype))
    mistake(where, "a tile cannot have the packed dtype " + std::string(name(type.dtype)));
  else if (!isFloat && (std::isnan(real) || real != std::floor(real)))
    mistake(where, printed(value) + " is not a whole number, as " + std::string(name(type.dtype)) + " needs");
  else if (!fits(real, type.dtype))
    mistake(where, printed(value) + " does not fit " + std::string(name(type.dtype)));
  if (failed())
    return poison(type);
  if (isFloat)
    value = real;
  else if (!whole)
    value = int64_t(real);
  return wrap(builder.constant(value, type, where), type);
}

Tile Recorder::converted(const Tile &tile, DType dtype, Where where) {
  TileType to{dtype, tile.shape()};
  if (failed() || tile.dtype() == dtype)
    return failed() ? poison(to) : tile;
  return wrap(builder.convert(tile.value, typeOf(tile), dtype, where), to);
}

Tile Recorder::stretched(const Tile &tile, const Shape &shape, Where where) {
  TileType to{tile.dtype(), shape};
  if (failed() || tile.shape() == shape)
    return failed() ? poison(to) : tile;
  auto op = tile.isScalar() ? Builder::Shaping::splat : Builder::Shaping::broadcast;
  return wrap(builder.shape(op, tile.value, to, where), to);
}

Tile Recorder::element(Element op, std::span<const Tile> operands, DType result, Where where) {
  TileType to{result, operands.back().shape()};
  if (failed())
    return poison(to);
  std::vector<Handle> values;
  for (const Tile &tile : operands)
    values.push_back(tile.value);
  return wrap(builder.element(op, operands.back().dtype(), values, where), to);
}

Looked Recorder::look(const Operand &operand) {
  if (auto *tile = std::get_if<Tile>(&operand.what))
    return {*tile, int64_t(0)};
  if (auto *dim = std::get_if<Dim>(&operand.what))
    return {dimTile(*dim, operand.where), int64_t(0)};
  if (auto *real = std::get_if<double>(&operand.what))
    return {std::nullopt, *real};
  return {std::nullopt, std::get<int64_t>(operand.what)};
}

// The whole.

bool Recorder::isWord(std::string_view name, Where where) {
  bool word = !name.empty() && !std::isdigit((unsigned char)name[0]);
  for (char c : name)
    word = word && (std::isalnum((unsigned char)c) || c == '_');
  if (!word)
    mistake(where, "'" + std::string(name) + "' is not a name: use letters, digits and underscores");
  return word;
}

bool Recorder::freshName(std::string_view name, Where where) {
  auto quoted = "'" + std::string(name) + "'";
  isWord(name, where);
  for (const DimInfo &dim : dims)
    if (dim.name == name)
      mistake(where, "the name " + quoted + " is taken by a dim already");
  for (const ArgInfo &arg : signature.args)
    if (arg.name == name)
      mistake(where, "the name " + quoted + " is taken by another argument already");
  return !failed();
}

std::optional<std::string> Recorder::finish() {
  bool writes = false;
  for (const TensorInfo &tensor : tensors) {
    writes = writes || tensor.kind != ArgKind::in;
    if (tensor.kind != ArgKind::in && !tensor.written)
      mistake(tensor.where, "nothing is stored to '" + tensor.name + "'");
  }
  if (!writes)
    mistake(grid.value_or(where), "the kernel has no output: declare one with out() or inOut()");
  if (!grid)
    mistake(tensors.empty() ? where : tensors.back().where, "the kernel has no grid: call parallel()");
  for (const DimInfo &dim : dims)
    if (!dim.used)
      mistake(dim.where, "no tensor has the size '" + dim.name + "', so a launch cannot know it");
  return message;
}

} // namespace tessera::dsl
