// Operations of warp specialisation: warps that only copy (producers) beside those that compute (consumers), and the
// mbarriers by which they hand slots of a ring to each other. tile-specialize-warps makes them, and tile-store-tensors
// tile.tensor_store.
#ifndef TESSERA_TILE_ROLE_OPS
#define TESSERA_TILE_ROLE_OPS
include "compiler/tile/dialect.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tile_RoleOp<string mnemonic, list<Trait> traits = []> : Op<Tile_Dialect, mnemonic, traits>;

def Tile_IsProducerOp : Tile_RoleOp<"is_producer", [Pure]> {
  let summary = "whether this thread is one of the producing warps; `elected`: the first of their threads";
  let arguments = (ins UnitAttr:$elected);
  let results = (outs I1:$result);
  let assemblyFormat = "(`elected` $elected^)? attr-dict";
}

def Tile_InitBarriersOp : Tile_RoleOp<"init_barriers", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "sets up a buffer of mbarriers for all threads: `stages` that one arrival completes, then as many for the consumers' threads";
  let arguments = (ins Tile_Shared:$barriers, I64Attr:$stages);
  let assemblyFormat = "$barriers `stages` $stages attr-dict `:` type($barriers)";
}

def Tile_AwaitOp : Tile_RoleOp<"await", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "until the phase of that parity of mbarrier number `index` + `first` is complete";
  let arguments = (ins Tile_Shared:$barriers, I32:$index, I32:$parity, I64Attr:$first);
  let assemblyFormat = "$barriers `at` $index `plus` $first `parity` $parity attr-dict `:` type($barriers)";
}

def Tile_ExpectOp : Tile_RoleOp<"expect", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "arrives at mbarrier number `index`, whose phase is complete when so many bytes were copied as well";
  let arguments = (ins Tile_Shared:$barriers, I32:$index, I64Attr:$bytes);
  let assemblyFormat = "$barriers `at` $index `bytes` $bytes attr-dict `:` type($barriers)";
}

def Tile_ArriveOp : Tile_RoleOp<"arrive", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "arrives at mbarrier number `index` + `first`";
  let arguments = (ins Tile_Shared:$barriers, I32:$index, I64Attr:$first);
  let assemblyFormat = "$barriers `at` $index `plus` $first attr-dict `:` type($barriers)";
}

def Tile_TensorCopyOp : Tile_RoleOp<"tensor_copy", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "one thread starts the copy of a box of tensor map number `map`, at `origin`, to a slot of a ring";
  let description = [{
    `origin` has one position for each axis of the tensor; what lies outside the tensor is filled with zeros. The box is
    repeated for the buffer's panels. Mbarrier number `index` learns of the bytes.
  }];
  let arguments = (ins I64Attr:$map, Variadic<Index>:$origin, Tile_Shared:$buffer, I32:$slot, Tile_Shared:$barriers,
                       I32:$index);
  let assemblyFormat = [{
    $map `[` $origin `]` `,` $buffer `at` $slot `,` $barriers `at` $index attr-dict `:` type($buffer) `,` type($barriers)
  }];
}

def Tile_TensorStoreOp : Tile_RoleOp<"tensor_store", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "one thread starts the copy of a buffer to a box of tensor map number `map`, at `origin`";
  let description = [{
    What lies outside the tensor is left out. The buffer may not be written before a tile.barrier with tile.stores_read.
  }];
  let arguments = (ins I64Attr:$map, Variadic<Index>:$origin, Tile_Shared:$buffer);
  let assemblyFormat = "$buffer `,` $map `[` $origin `]` attr-dict `:` type($buffer)";
}

def Tile_ClearRowsOp : Tile_RoleOp<"clear_rows", [MemoryEffects<[MemWrite]>]> {
  let summary = "zeros in the rows of a slot from number `from` on, by the consumers; 0 <= from";
  let arguments = (ins Tile_Shared:$buffer, I32:$slot, Index:$from);
  let assemblyFormat = "$buffer `at` $slot `from` $from attr-dict `:` type($buffer)";
}

def Tile_SettleOp : Tile_RoleOp<"settle", [MemoryEffects<[MemRead, MemWrite]>, AllTypesMatch<["value", "result"]>]> {
  let summary = "waits for the wgmma operations that are under way: the value is what they left";
  let arguments = (ins AnyStaticShapeTensor:$value);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def Tile_WalkOp : Tile_RoleOp<"walk", [MemoryEffects<[MemRead]>]> {
  let summary = "the programs that a block takes, where it takes several: number `first`, and every `step`th below `end`";
  let results = (outs Index:$first, Index:$end, Index:$step);
  let assemblyFormat = "attr-dict `:` type($first) `,` type($end) `,` type($step)";
}

def Tile_EnterOp : Tile_RoleOp<"enter", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "from here on the kernel's tile.program are those of program `number`";
  let arguments = (ins Index:$number);
  let assemblyFormat = "$number attr-dict";
}

def Tile_RememberOp : Tile_RoleOp<"remember", [MemoryEffects<[MemWrite]>]> {
  let summary = "keeps a thread's value under a number, through loops and branches";
  let arguments = (ins I32:$value, I64Attr:$number);
  let assemblyFormat = "$value `as` $number attr-dict";
}

def Tile_RecallOp : Tile_RoleOp<"recall", [MemoryEffects<[MemRead]>]> {
  let summary = "what was last remembered under the number";
  let arguments = (ins I64Attr:$number);
  let results = (outs I32:$value);
  let assemblyFormat = "$number attr-dict";
}

def Tile_SetRegistersOp : Tile_RoleOp<"set_registers", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "from here on a thread of this warpgroup has so many registers";
  let arguments = (ins I64Attr:$count, UnitAttr:$more);
  let assemblyFormat = "$count (`more` $more^)? attr-dict";
}
#endif
