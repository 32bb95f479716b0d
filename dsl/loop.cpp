#include "dsl/loop.h"
#include "dsl/recorder.h"

namespace tessera::dsl::detail {

static Loop open(const Size &bound, int64_t size, std::span<const Tile> start, Where where, bool points) {
  Recorder &r = Recorder::current();
  Loop loop;
  loop.where = where;
  if (size <= 0)
    r.mistake(where, "a block of " + std::to_string(size) + " is not positive");
  Tile end = r.indexOf(bound, where);
  r.usable(start, where);
  TileType type{index, {}};
  Tile step = Recorder::poison(type);
  for (const Tile &tile : start)
    loop.carried.push_back(Recorder::poison(typeOf(tile)));
  if (!r.failed()) {
    std::vector<Handle> values;
    for (const Tile &tile : start)
      values.push_back(Recorder::handle(tile));
    LoopValues made = r.builder.openLoop(Recorder::handle(end), size, values, where);
    loop.op = made.op;
    step = r.wrap(made.step, type);
    for (size_t i = 0; i < start.size(); ++i)
      loop.carried[i] = r.wrap(made.carried[i], typeOf(start[i]));
  }
  if (points)
    loop.point = step;
  else
    loop.range = Range(step, end, size > 0 ? size : 1, bound);
  return loop;
}

Loop openLoop(const Points &domain, std::span<const Tile> start, Where where) {
  return open(domain.bound, 1, start, where, true);
}
Loop openLoop(const Blocks &domain, std::span<const Tile> start, Where where) {
  return open(domain.bound, domain.size, start, where, false);
}

std::vector<Tile> closeLoop(Loop &loop, std::span<const Tile> next) {
  Recorder &r = Recorder::current();
  std::vector<Tile> out;
  std::vector<Handle> values;
  for (size_t i = 0; i < next.size(); ++i) {
    TileType carried = typeOf(loop.carried[i]), returned = typeOf(next[i]);
    if (r.usable(next[i], loop.where) && carried != returned) {
      std::string made = r.builder.placeOf(Recorder::handle(next[i])); // in the body: the better place to look
      std::string which =
          next.size() > 1 ? " as tile " + std::to_string(i + 1) + " of " + std::to_string(next.size()) : "";
      std::string sentence = "the loop carries " + text(carried) + which + ", but its body returns " + text(returned);
      made.empty() ? r.mistake(loop.where, sentence) : r.mistake(made, sentence);
    }
    values.push_back(Recorder::handle(next[i]));
    out.push_back(Recorder::poison(carried));
  }
  if (r.failed())
    return out;
  std::vector<Handle> results = r.builder.closeLoop({loop.op, nullptr, {}}, values);
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = r.wrap(results[i], typeOf(out[i]));
  return out;
}

} // namespace tessera::dsl::detail
