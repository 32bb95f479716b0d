#include "runtime/artifact_codec.h"

namespace tessera {

namespace {

struct Writer {
  std::string out;
  void number(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      out += char(value >> 8 * i);
  }
  void operator()(int64_t value) { number(uint64_t(value), 8); }
  void operator()(std::string_view text) {
    number(text.size(), 4);
    out += text;
  }
  void operator()(const Extent &e) {
    number(uint64_t(int64_t(e.dim)), 4);
    (*this)(e.value);
  }
  void operator()(const ResourceReport &report) {
    for (int64_t value : {report.scratchBytes, report.spillBytes, report.registers, report.sharedBytes})
      (*this)(value);
  }
  template <class T> void list(const std::vector<T> &items, auto &&each) {
    number(items.size(), 4);
    for (const T &item : items)
      each(item);
  }
};

// Reads past the end or out of range set `ok` to false and yield zeros.
struct Reader {
  std::string_view left;
  bool ok = true;

  void require(bool condition) { ok = ok && condition; }
  uint64_t number(int bytes) {
    if (left.size() < size_t(bytes))
      ok = false;
    if (!ok)
      return 0;
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value |= uint64_t(uint8_t(left[size_t(i)])) << 8 * i;
    left.remove_prefix(size_t(bytes));
    return value;
  }
  int64_t integer() { return int64_t(number(8)); }
  std::string text() {
    size_t size = number(4);
    require(size <= left.size());
    if (!ok)
      return {};
    std::string value(left.substr(0, size));
    left.remove_prefix(size);
    return value;
  }
  Extent extent(size_t dims) {
    Extent e;
    e.dim = int32_t(number(4));
    e.value = integer();
    require(e.dim >= -1 && e.dim < int64_t(dims) && (e.dim >= 0 || e.value >= 0));
    return e;
  }
  ResourceReport resources() {
    ResourceReport report;
    for (int64_t *value : {&report.scratchBytes, &report.spillBytes, &report.registers, &report.sharedBytes})
      *value = integer();
    return report;
  }
  // At least one byte an item, so a forged count ends at the end of the bytes.
  template <class T> std::vector<T> list(auto &&each) {
    size_t count = number(4);
    require(count <= left.size());
    std::vector<T> items;
    for (size_t i = 0; ok && i < count; ++i)
      items.push_back(each());
    return items;
  }
};

} // namespace

std::string encodeArtifact(const Artifact &artifact) {
  Writer w;
  const Signature &sig = artifact.signature;
  w(sig.name);
  w.list(sig.dims, [&](const std::string &dim) { w(dim); });
  w.list(sig.divisors, [&](int64_t divisor) { w(divisor); });
  w.list(sig.args, [&](const ArgInfo &arg) {
    w(arg.name);
    w.number(uint64_t(arg.kind), 1);
    w.number(uint64_t(arg.dtype), 1);
    w.list(arg.extents, [&](const Extent &e) { w(e); });
  });
  w.list(sig.grid, [&](const GridAxis &axis) {
    w(axis.extent);
    w(axis.block);
  });
  w.list(sig.scaled, [&](const ScaledDim &scaled) {
    w(int64_t(scaled.dim));
    w(int64_t(scaled.of));
    w(scaled.times);
    w(scaled.over);
  });
  w(artifact.target);
  w(artifact.entry);
  w(artifact.resources);
  for (int64_t threads : artifact.block.threads)
    w(threads);
  w(artifact.block.dynamicSharedBytes);
  w(artifact.block.persistent);
  w(artifact.alignedEntry);
  w.list(artifact.alignedDivisors, [&](int64_t divisor) { w(divisor); });
  w(artifact.alignedResources);
  w.list(artifact.tensorMaps, [&](const TensorMap &map) {
    w(map.arg);
    w.list(map.box, [&](int64_t extent) { w(extent); });
    w(map.swizzleBytes);
  });
  w(artifact.alignedThreads);
  w(artifact.bytes);
  w(artifact.cubin);
  return std::move(w.out);
}

std::optional<Artifact> decodeArtifact(std::string_view bytes) {
  Reader r{bytes};
  Artifact artifact;
  Signature &sig = artifact.signature;
  sig.name = r.text();
  sig.dims = r.list<std::string>([&] { return r.text(); });
  sig.divisors = r.list<int64_t>([&] {
    int64_t divisor = r.integer();
    r.require(divisor >= 1);
    return divisor;
  });
  r.require(sig.divisors.empty() || sig.divisors.size() == sig.dims.size());
  size_t dims = sig.dims.size();
  sig.args = r.list<ArgInfo>([&] {
    ArgInfo arg;
    arg.name = r.text();
    uint64_t kind = r.number(1), dtype = r.number(1);
    r.require(kind <= uint64_t(ArgKind::scalar) && dtype < dtypes().size());
    arg.kind = ArgKind(kind);
    arg.dtype = r.ok ? DType(dtype) : f32;
    arg.extents = r.list<Extent>([&] { return r.extent(dims); });
    return arg;
  });
  sig.grid = r.list<GridAxis>([&] {
    GridAxis axis;
    axis.extent = r.extent(dims);
    axis.block = r.integer();
    r.require(axis.block >= 1);
    return axis;
  });
  sig.scaled = r.list<ScaledDim>([&] {
    int64_t dim = r.integer(), of = r.integer(), times = r.integer(), over = r.integer();
    r.require(dim >= 0 && dim < int64_t(dims) && of >= 0 && of < int64_t(dims) && times >= 1 && over >= 1);
    return ScaledDim{int(dim), int(of), times, over};
  });
  artifact.target = r.text();
  artifact.entry = r.text();
  artifact.resources = r.resources();
  for (int64_t &threads : artifact.block.threads) {
    threads = r.integer();
    r.require(threads >= 1);
  }
  artifact.block.dynamicSharedBytes = r.integer();
  artifact.block.persistent = r.integer();
  r.require(artifact.block.dynamicSharedBytes >= 0 && artifact.block.persistent >= 0);
  artifact.alignedEntry = r.text();
  artifact.alignedDivisors = r.list<int64_t>([&] {
    int64_t divisor = r.integer();
    r.require(divisor >= 1);
    return divisor;
  });
  r.require(artifact.alignedDivisors.size() == (artifact.alignedEntry.empty() ? 0 : dims));
  artifact.alignedResources = r.resources();
  artifact.tensorMaps = r.list<TensorMap>([&] {
    TensorMap map;
    map.arg = r.integer();
    map.box = r.list<int64_t>([&] {
      int64_t extent = r.integer();
      r.require(extent >= 1 && extent <= 256);
      return extent;
    });
    map.swizzleBytes = r.integer();
    r.require(map.arg >= 0 && map.arg < int64_t(sig.args.size()) &&
              (map.swizzleBytes == 0 || map.swizzleBytes == 32 || map.swizzleBytes == 64 || map.swizzleBytes == 128));
    r.require(r.ok && sig.args[size_t(map.arg)].extents.size() == map.box.size() && !map.box.empty() &&
              map.box.size() <= 5);
    return map;
  });
  artifact.alignedThreads = r.integer();
  r.require(artifact.alignedThreads >= 0);
  artifact.bytes = r.text();
  artifact.cubin = r.text();
  if (!r.ok || !r.left.empty())
    return std::nullopt;
  return artifact;
}

} // namespace tessera
