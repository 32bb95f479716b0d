# LLVM and MLIR 22 from Debian, linked as shared libraries: the static archives would still pull in libLLVM.so and hold
# two copies of it.
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
set(TESSERA_LLVM_TOOLS /usr/lib/llvm-22/bin CACHE PATH "Where FileCheck and mlir-opt live")

# Flags and include paths for the few targets that see MLIR and LLVM headers.
add_library(tessera_llvm INTERFACE)
separate_arguments(llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_options(tessera_llvm INTERFACE ${llvm_definitions} -Wno-unused-parameter)
target_include_directories(tessera_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_include_directories(tessera_llvm INTERFACE ${CMAKE_BINARY_DIR})
