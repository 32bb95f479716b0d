// Operations of the tile dialect.
#ifndef TESSERA_TILE_OPS
#define TESSERA_TILE_OPS
include "compiler/tile/dialect.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<Tile_Dialect, mnemonic, traits>;

// point: one index, the axis is dropped. range: origin and bound, cut at the bound. whole: a range known to lie inside.
// all: the whole static axis. each: a gather, one row per element of an i32 tile; several gathers are zipped.
def Tile_SubscriptPoint : I32EnumAttrCase<"point", 0>;
def Tile_SubscriptRange : I32EnumAttrCase<"range", 1>;
def Tile_SubscriptWhole : I32EnumAttrCase<"whole", 2>;
def Tile_SubscriptAll : I32EnumAttrCase<"all", 3>;
def Tile_SubscriptEach : I32EnumAttrCase<"each", 4>;
def Tile_Subscript : I32EnumAttr<"Subscript", "how one axis of a view is subscripted",
    [Tile_SubscriptPoint, Tile_SubscriptRange, Tile_SubscriptWhole, Tile_SubscriptAll, Tile_SubscriptEach]> {
  let cppNamespace = "::tessera::tile";
}

def Tile_ReduceMax : I32EnumAttrCase<"max", 0>;
def Tile_ReduceSum : I32EnumAttrCase<"sum", 1>;
def Tile_ReduceKind : I32EnumAttr<"ReduceKind", "how a reduction combines", [Tile_ReduceMax, Tile_ReduceSum]> {
  let cppNamespace = "::tessera::tile";
}

def Tile_Codes : I32EnumAttrCase<"codes", 0>;
def Tile_Scales : I32EnumAttrCase<"scales", 1>;
def Tile_Mins : I32EnumAttrCase<"mins", 2>;
def Tile_SuperScales : I32EnumAttrCase<"superScales", 3>;
def Tile_SuperMins : I32EnumAttrCase<"superMins", 4>;
// A plane of the codes as it lies in memory, 32 bits an element: the low bits of the codes, and those above.
def Tile_Words : I32EnumAttrCase<"words", 5>;
def Tile_HighWords : I32EnumAttrCase<"highWords", 6>;
def Tile_Component : I32EnumAttr<"Component", "a part of a packed tensor",
    [Tile_Codes, Tile_Scales, Tile_Mins, Tile_SuperScales, Tile_SuperMins, Tile_Words, Tile_HighWords]> {
  let cppNamespace = "::tessera::tile";
}

def Tile_Scalar : AnyTypeOf<[AnyInteger, AnyFloat, Index]>;
def Tile_Value : AnyTypeOf<[AnyRankedTensor, Tile_Scalar]>;

// Not pure: an axis that nothing uses still counts when a program's number is taken apart.
def Tile_ProgramOp : Tile_Op<"program", []> {
  let summary = "the origin of this program's block along one grid axis: program number x block";
  let arguments = (ins Index:$bound, I64Attr:$axis, I64Attr:$block);
  let results = (outs Index:$origin);
  let assemblyFormat = "$axis `of` $bound `by` $block attr-dict";
}

class Tile_AccessOp<string mnemonic, list<Trait> traits> : Tile_Op<mnemonic, [AttrSizedOperandSegments] # traits> {
  let hasVerifier = 1;
  code accessors = [{
    // The view's shape with the subscripts applied: what the tile's shape must be.
    ::llvm::SmallVector<int64_t> subscriptedShape();
    Subscript subscript(unsigned axis) { return static_cast<Subscript>(getKinds()[axis]); }
  }];
}

def Tile_LoadOp : Tile_AccessOp<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "a tile (or a scalar, if every axis is a point) from memory; 0 outside ranges and where the mask is 0";
  let description = [{
    Where `when` is false nothing is read and the result is anything: tile-pipeline loads a step that may not come. What
    is not read, there and outside ranges, stays as `otherwise` has it, where that is given.
  }];
  let arguments = (ins Tile_View:$view, Variadic<Tile_Value>:$subscripts, Optional<AnyRankedTensor>:$mask,
                       Optional<I1>:$when, Optional<AnyRankedTensor>:$otherwise, DenseI32ArrayAttr:$kinds, DenseI64ArrayAttr:$sizes,
                       OptionalAttr<Tile_Component>:$component);
  let results = (outs Tile_Value:$result);
  let extraClassDeclaration = accessors;
  let assemblyFormat = [{
    ($component^)? $view `` custom<Subscripts>($subscripts, type($subscripts), $kinds, $sizes) (`where` $mask^ `:` type($mask))?
    (`when` $when^)? (`else` $otherwise^ `:` type($otherwise))? attr-dict `:` type($view) `->` type($result)
  }];
}

def Tile_StoreOp : Tile_AccessOp<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "a tile (or a scalar) to memory, where the ranges and the mask allow it";
  let arguments = (ins Tile_Value:$value, Tile_View:$view, Variadic<Tile_Value>:$subscripts,
                       Optional<AnyRankedTensor>:$mask, DenseI32ArrayAttr:$kinds, DenseI64ArrayAttr:$sizes);
  let extraClassDeclaration = accessors;
  let assemblyFormat = [{
    $value `,` $view `` custom<Subscripts>($subscripts, type($subscripts), $kinds, $sizes) (`where` $mask^ `:` type($mask))? attr-dict
    `:` type($value) `->` type($view)
  }];
}

def Tile_AtomicAddOp : Tile_AccessOp<"atomic_add", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "adds a tile to memory atomically, element by element";
  let arguments = (ins Tile_Value:$value, Tile_View:$view, Variadic<Tile_Value>:$subscripts,
                       Optional<AnyRankedTensor>:$mask, DenseI32ArrayAttr:$kinds, DenseI64ArrayAttr:$sizes);
  let extraClassDeclaration = accessors;
  let assemblyFormat = [{
    $value `,` $view `` custom<Subscripts>($subscripts, type($subscripts), $kinds, $sizes) (`where` $mask^ `:` type($mask))? attr-dict
    `:` type($value) `->` type($view)
  }];
}

def Tile_IotaOp : Tile_Op<"iota", [Pure]> {
  let summary = "origin, origin + 1, ...: the positions of a range, as i32";
  let arguments = (ins Index:$origin);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$origin attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_SplatOp : Tile_Op<"splat", [Pure]> {
  let summary = "a tile whose elements are all one scalar";
  let arguments = (ins Tile_Scalar:$value);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "stretches axes of extent 1 and adds leading axes, as NumPy does";
  let arguments = (ins AnyStaticShapeTensor:$value);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ReshapeOp : Tile_Op<"reshape", [Pure]> {
  let summary = "the same elements in row-major order under another shape";
  let arguments = (ins AnyStaticShapeTensor:$value);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_TransOp : Tile_Op<"trans", [Pure]> {
  let summary = "swaps the two axes of a matrix";
  let arguments = (ins AnyStaticShapeTensor:$value);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_DotOp : Tile_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "acc + lhs . rhs, with k added in ascending order; [M,K] x [K,N] + [M,N]";
  let description = "tf32: a target may round f32 operands to 10 bits of mantissa (to nearest, ties away from zero).";
  let arguments = (ins AnyStaticShapeTensor:$lhs, AnyStaticShapeTensor:$rhs, AnyStaticShapeTensor:$acc,
                       UnitAttr:$lhs_unsigned, UnitAttr:$rhs_unsigned, UnitAttr:$tf32);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs `,` $acc attr-dict `:` type($lhs) `,` type($rhs) `->` type($acc)";
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "combines along one axis, which stays with extent 1";
  let description = [{
    The sum's tree is part of its meaning: see docs/design on numerics. Max ignores which of two equal values it took.
  }];
  let arguments = (ins Tile_ReduceKind:$kind, AnyStaticShapeTensor:$value, I64Attr:$axis, Optional<Tile_Shared>:$scratch);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = [{
    $kind $value `along` $axis (`through` $scratch^ `:` type($scratch))? attr-dict `:` type($value) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_ScanOp : Tile_Op<"scan", [Pure, AllTypesMatch<["value", "result"]>]> {
  let summary = "inclusive running sum along one axis";
  let arguments = (ins AnyStaticShapeTensor:$value, I64Attr:$axis, Optional<Tile_Shared>:$scratch);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$value `along` $axis (`through` $scratch^ `:` type($scratch))? attr-dict `:` type($value)";
  let hasVerifier = 1;
}

def Tile_ArgMaxOp : Tile_Op<"argmax", [Pure]> {
  let summary = "i32 position of the largest element along one axis, which stays with extent 1; the lowest of equals";
  let arguments = (ins AnyStaticShapeTensor:$value, I64Attr:$axis, Optional<Tile_Shared>:$scratch);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = [{
    $value `along` $axis (`through` $scratch^ `:` type($scratch))? attr-dict `:` type($value) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_UnpackOp : Tile_Op<"unpack", [Pure]> {
  let summary = "the codes that one group's words hold, plane by plane";
  let arguments = (ins AnyStaticShapeTensor:$words, Optional<AnyStaticShapeTensor>:$high, StrAttr:$format);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = [{
    $words (`,` $high^)? `of` $format attr-dict `:` type($words) (`,` type($high)^)? `->` type($result)
  }];
}

def Tile_ConvertOp : Tile_Op<"convert", [Pure]> {
  let summary = "the same tile in another layout";
  let arguments = (ins AnyStaticShapeTensor:$value);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ScratchOp : Tile_Op<"scratch", []> {
  let summary = "memory of the executing thread's own, for as long as the program runs; tile-loop-dots makes it";
  let results = (outs Tile_View:$view);
  let assemblyFormat = "attr-dict `:` type($view)";
}

// Operations on a GPU's shared memory. The layout stage makes them; user programs have none. A buffer may be a ring of
// slots that a loop walks: an access touches the slot that begins `slot` bytes into it (the first if it names none), and
// its `phase` says that in iteration i of the ring's loop this is slot (i + phase) mod slots; before the loop i is 0. Two
// phases never meet in one iteration.

def Tile_AllocOp : Tile_Op<"alloc", []> {
  let summary = "a shared-memory buffer that lives from here to its last use; `offset` is set by tile-place-shared";
  let arguments = (ins OptionalAttr<I64Attr>:$offset);
  let results = (outs Tile_Shared:$buffer);
  let assemblyFormat = "attr-dict `:` type($buffer)";
}

def Tile_SharedStoreOp : Tile_Op<"shared_store", [MemoryEffects<[MemWrite]>]> {
  let summary = "a tile into a buffer, or into one slot of a ring";
  let arguments = (ins AnyStaticShapeTensor:$value, Tile_Shared:$buffer, Optional<I32>:$slot, OptionalAttr<I64Attr>:$phase);
  let assemblyFormat = "$value `,` $buffer (`at` $slot^)? (`phase` $phase^)? attr-dict `:` type($value) `->` type($buffer)";
}

def Tile_SharedLoadOp : Tile_Op<"shared_load", [MemoryEffects<[MemRead]>]> {
  let summary = "a tile out of a buffer; under another shape the elements keep their row-major order";
  let arguments = (ins Tile_Shared:$buffer, Optional<I32>:$slot, OptionalAttr<I64Attr>:$phase);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$buffer (`at` $slot^)? (`phase` $phase^)? attr-dict `:` type($buffer) `->` type($result)";
}

def Tile_CopyOp : Tile_AccessOp<"copy", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "starts an asynchronous copy from memory to a slot of a ring: what tile.load and shared_store would do";
  let description = [{
    `tile` is the type, with its layout, that the load would have had: it says which thread copies what. Where `when` is
    false nothing is copied. It is complete after a `wait` that covers its group, and visible to others after a barrier.
  }];
  let arguments = (ins Tile_View:$view, Variadic<Tile_Value>:$subscripts, Optional<AnyRankedTensor>:$mask,
                       Tile_Shared:$buffer, I32:$slot, Optional<I1>:$when, I64Attr:$phase, DenseI32ArrayAttr:$kinds,
                       DenseI64ArrayAttr:$sizes, TypeAttr:$tile);
  let extraClassDeclaration = accessors;
  let assemblyFormat = [{
    $view `` custom<Subscripts>($subscripts, type($subscripts), $kinds, $sizes) (`where` $mask^ `:` type($mask))?
    `,` $buffer `at` $slot `phase` $phase (`when` $when^)? `as` $tile attr-dict `:` type($view) `->` type($buffer)
  }];
}

def Tile_CommitOp : Tile_Op<"commit", [MemoryEffects<[MemWrite]>]> {
  let summary = "closes a group of this thread's copies";
  let assemblyFormat = "attr-dict";
}

def Tile_WaitOp : Tile_Op<"wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "until at most `pending` groups of this thread's copies are under way: phase 0 of the rings is there";
  let arguments = (ins I64Attr:$pending, Variadic<Tile_Shared>:$buffers);
  let assemblyFormat = "$pending `for` $buffers attr-dict `:` type($buffers)";
}

def Tile_BarrierOp : Tile_Op<"barrier", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "all threads of the block arrive; what they wrote before is visible to all after";
  let assemblyFormat = "attr-dict";
}
#endif
