// The tile dialect: what a tile kernel needs that upstream MLIR lacks. Tiles are `tensor<MxNxT>` values of static
// shape; element arithmetic on them is `arith` and `math`; loops are `scf.for`.
#ifndef TESSERA_TILE_DIALECT
#define TESSERA_TILE_DIALECT
include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::tessera::tile";
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let description = [{
    A kernel is a `func.func` with the unit attribute `tile.kernel`. Its arguments are, in order, the symbolic sizes
    (`index`, `{tile.dim = "M"}`, optionally `tile.divisor = 32 : i64`; one that is exactly 3/2 of argument 0 has
    `tile.scaled = array<i64: 0, 3, 2>`), then tensors and scalars in the order in which the user declared them. A tensor is a `!tile.view` with `{tile.name = "A", tile.access = "in" | "out" | "inout",
    tile.extents = ["M", 64]}`: a size is a dim's name or an integer. A scalar is an element type with
    `{tile.name = "eps", tile.access = "scalar"}`.
  }];
}

def Tile_View : TypeDef<Tile_Dialect, "View"> {
  let mnemonic = "view";
  let summary = "a tensor in memory: row-major, contiguous; sizes come from the kernel's arguments";
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
}

def Tile_Packed : TypeDef<Tile_Dialect, "Packed"> {
  let mnemonic = "packed";
  let summary = "the element type of a packed weight tensor; the name is a row of base/dtype.h";
  let parameters = (ins StringRefParameter<"a packed format's name">:$format);
  let assemblyFormat = "`<` $format `>`";
  let genVerifyDecl = 1;
}

def Tile_Layout : AttrDef<Tile_Dialect, "Layout"> {
  let mnemonic = "layout";
  let summary = "where each element of a tile lives: tile coordinate = rep * block + XOR of the bases of the set bits";
  let description = [{
    `lane` holds one basis per bit of the lane number, `warp` one per bit of the warp's number (GPUs) and `reg` one per
    bit of the register number inside a block; a basis is a coordinate in the tile (one number a dimension). The block is repeated `rep` times along each
    dimension, so that extents need not be powers of two. See compiler/layout/layout.h.
  }];
  let parameters = (ins OptionalArrayRefParameter<"int64_t">:$lane, OptionalArrayRefParameter<"int64_t">:$reg,
                        ArrayRefParameter<"int64_t">:$rep, OptionalArrayRefParameter<"int64_t">:$warp);
  let assemblyFormat = [{
    `<` `lane` `=` `[` (`]`) : ($lane^ `]`)? `,` `reg` `=` `[` (`]`) : ($reg^ `]`)? `,` `rep` `=` `[` $rep `]`
    (`,` `warp` `=` `[` $warp^ `]`)? `>`
  }];
}

def Tile_Shared : TypeDef<Tile_Dialect, "Shared"> {
  let mnemonic = "shared";
  let summary = "a buffer in a GPU's shared memory: `slots` tiles of a shape, rows swizzled (compiler/layout/swizzle.h)";
  // swizzle: what each bit of a row XORs onto its chunks; empty: the map that hardware knows.
  let parameters = (ins "int64_t":$slots, ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
                        OptionalArrayRefParameter<"int64_t">:$swizzle);
  let builders = [TypeBuilder<(ins "int64_t":$slots, "::llvm::ArrayRef<int64_t>":$shape, "::mlir::Type":$elementType),
                              "return $_get($_ctxt, slots, shape, elementType, ::llvm::ArrayRef<int64_t>());">];
  let hasCustomAssemblyFormat = 1;
}
#endif
