// Prints the trace of every op of the library, for every dtype and target.
#include "ops/all.h"
#include <cstdio>

int main() {
  for (const tessera::ops::OpInfo &op : tessera::ops::all())
    for (tessera::DType dtype : op.dtypes)
      for (const tessera::Target &target : tessera::targets())
        std::fputs(op.trace({.dtype = dtype}, target).value().text.c_str(), stdout);
}
