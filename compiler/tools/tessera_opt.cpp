// tessera-opt: runs compiler passes on tile IR text, for FileCheck tests and for looking at one stage by itself.
#include "compiler/pipeline.h"
#include "compiler/tile/tile.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry dialects;
  mlir::registerAllDialects(dialects);
  dialects.insert<tessera::tile::TileDialect>();
  mlir::registerAllPasses();
  tessera::registerTesseraPasses();
  return failed(mlir::MlirOptMain(argc, argv, "Tessera's passes on tile IR\n", dialects));
}
