// Recorder: the front of the tracer: checks what the user wrote, keeps the first mistake, hands the rest to Builder.
#pragma once
#include "base/artifact.h"
#include "dsl/builder.h"
#include <optional>

namespace tessera::dsl {

std::string text(const TileType &type);
inline TileType typeOf(const Tile &tile) { return {tile.dtype(), tile.shape()}; }
int64_t elementCount(const Shape &shape);
// "1 axis", "2 axes".
std::string counted(int64_t n, const char *one, const char *many);

// An operand that was looked at: the tile, or the number that waits for a dtype.
struct Looked {
  std::optional<Tile> tile;
  std::variant<double, int64_t> number;
};

// What is known of a declared argument.
struct TensorInfo {
  std::string name;
  ArgKind kind;
  DType dtype;
  std::vector<Size> extents;
  Handle view;
  Where where;
  bool written = false;
};
struct DimInfo {
  std::string name;
  Handle value;
  Where where;
  bool used = false; // some tensor has it as an extent
};

// One trace. Every method that takes a `where` may record a mistake there; after the first nothing is recorded and
// nothing reaches the builder. Not thread-safe; a thread has one current.
class Recorder {
public:
  Recorder(const std::string &kernel, Where where);
  ~Recorder();
  Recorder(const Recorder &) = delete;

  // The thread's trace; where there is none, one that has failed already.
  static Recorder &current();

  // Mistakes. Only the first counts.
  void mistake(Where where, const std::string &sentence);
  void mistake(const std::string &place, const std::string &sentence); // place = "file:line"
  bool failed() const { return message.has_value(); }
  static Tile poison(const TileType &type) { return Tile(nullptr, 0, type.dtype, type.shape); }

  // Whether every tile can be used here: belongs to this trace, has a value, is in scope. Else the mistake is recorded.
  bool usable(std::span<const Tile> tiles, Where where, const char *noun = "tile");
  bool usable(const Tile &tile, Where where) { return usable(std::span(&tile, 1), where); }
  Tile wrap(Handle value, const TileType &type) const { return Tile(value, serial, type.dtype, type.shape); }
  static Handle handle(const Tile &tile) { return tile.value; }
  static uint64_t owner(const Tile &tile) { return tile.kernel; }

  // Dims and sizes.
  Dim declareDim(std::string_view name, Where where);
  Tile dimTile(const Dim &dim, Where where);
  bool owns(const Dim &dim, Where where);
  std::string sizeName(const Size &size) const; // "K", "K/32", "d*2", "64"
  // Whether a range that ends at `bound` may walk an axis of `extent`: false only where they surely differ.
  static bool mayWalk(const Size &bound, const Size &extent);
  // What `limit` is after a move; `bound` if that is not known.
  static Size moved(const Size &limit, const Operand &by, const Tile &bound);
  Tile indexOf(const Size &size, Where where);   // as an index scalar
  Tile toIndex(const Tile &scalar, Where where); // from an index or i32 scalar
  // The size as the signature writes it; `what` names it in messages.
  Extent extentOf(const Size &size, Where where, const std::string &what);

  // Arguments.
  Tensor declareTensor(std::string_view name, ArgKind kind, DType dtype, std::vector<Size> extents, Where where);
  Tile declareScalar(std::string_view name, DType dtype, Where where);
  // Null, with the mistake recorded, if it is not one of this trace.
  TensorInfo *tensor(uint64_t kernel, int number, Where where);

  // The grid.
  void openGrid(size_t axes, Where where);
  Tile program(const Size &bound, int64_t block, Where where);

  // Constants, casts and stretching of usable tiles; casts must have a meaning, shapes must stretch.
  Tile number(std::variant<double, int64_t> value, const TileType &type, Where where);
  Tile converted(const Tile &tile, DType dtype, Where where);
  Tile stretched(const Tile &tile, const Shape &shape, Where where);
  // One element-wise operation on operands of one dtype and shape.
  Tile element(Element op, std::span<const Tile> operands, DType result, Where where);
  Looked look(const Operand &operand); // dims become index tiles

  Builder builder;
  Signature signature;
  std::vector<DimInfo> dims;
  std::vector<TensorInfo> tensors;

  std::optional<std::string> finish(); // the mistake, after the checks of the whole
private:
  Recorder() = default;
  void checkTensor(const ArgInfo &arg, const std::vector<Size> &extents, Where where);
  void packColumns(const ArgInfo &arg, Where where);
  bool isWord(std::string_view name, Where where);
  bool freshName(std::string_view name, Where where);
  int derivedDim(const Dim &dim, Where where);

  uint64_t serial = 0;
  Where where;
  std::optional<std::string> message;
  std::optional<Where> grid;
  Recorder *outer = nullptr;
};

// The common shape of two, or none.
std::optional<Shape> stretch(const Shape &a, const Shape &b);

} // namespace tessera::dsl
