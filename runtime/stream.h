// Stream: an in-order queue of launches on one device.
#pragma once
#include "runtime/driver/driver.h"
#include <memory>

namespace tessera {

// A handle; copies are the same queue. One thread at a time.
class Stream {
public:
  // Waits until everything launched so far has finished; the place where an asynchronous device reports its faults.
  Status synchronize() const { return owner->synchronize(queue.get()); }
  driver::Driver &device() const { return *owner; }
  driver::Queue handle() const { return queue.get(); }

private:
  friend class Device;
  std::shared_ptr<driver::Driver> owner;
  std::shared_ptr<driver::QueueObject> queue;
};

} // namespace tessera
