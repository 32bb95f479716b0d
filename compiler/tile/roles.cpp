#include "compiler/tile/roles.h"

using namespace mlir;
using namespace tessera::tile;

#define GET_OP_CLASSES
#include "compiler/tile/role_ops.cpp.inc"
