// Stream: an in-order queue of launches on one device. Graph: what a stream recorded, to be run again at little cost.
#pragma once
#include "runtime/driver/driver.h"
#include <memory>

namespace tessera {

class Stream;

// A handle; copies are the same recording. Keeps the device alive, but neither the kernels nor the buffers: these must
// outlive it. One thread at a time.
class Graph {
public:
  // Runs what was recorded, in its order and after what the stream was given before. Errors: a stream of another device
  // or one that is recording; what a launch of a recorded kernel answers.
  Status launch(const Stream &stream) const;

private:
  friend class Stream;
  std::shared_ptr<driver::Driver> owner;
  std::shared_ptr<driver::GraphObject> recorded;
};

// A handle; copies are the same queue. One thread at a time.
class Stream {
public:
  // Waits until everything launched so far has finished; the place where an asynchronous device reports its faults.
  Status synchronize() const { return owner->synchronize(queue.get()); }
  // From here to endCapture() launches and asynchronous copies of this stream are recorded and do not run. Buffers are
  // recorded by address, scalars and sizes by value. On a CUDA device this is a CUDA graph, on a CPU a list. Copies of
  // buffers without a stream meanwhile spoil the recording on a GPU.
  Status beginCapture() const { return owner->beginCapture(queue.get()); }
  Result<Graph> endCapture() const;
  driver::Driver &device() const { return *owner; }
  driver::Queue handle() const { return queue.get(); }

private:
  friend class Device;
  std::shared_ptr<driver::Driver> owner;
  std::shared_ptr<driver::QueueObject> queue;
};

inline Result<Graph> Stream::endCapture() const {
  Graph graph;
  graph.owner = owner;
  graph.recorded = std::shared_ptr<driver::GraphObject>(TESSERA_TRY(owner->endCapture(queue.get())),
                                                        [owner = owner](driver::Graph g) { owner->destroy(g); });
  return graph;
}

inline Status Graph::launch(const Stream &stream) const {
  if (&stream.device() != owner.get())
    return invalidArgument("a recorded graph belongs to another device than the stream");
  return owner->replay(stream.handle(), recorded.get());
}

} // namespace tessera
