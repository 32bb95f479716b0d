# Writes OUT: a C++ string literal that changes whenever one of the code generator's sources does.
# Run as `cmake -DROOT=... -DOUT=... -P source_hash.cmake`; kernels in the disk cache are keyed by it.
file(GLOB_RECURSE sources RELATIVE ${ROOT} ${ROOT}/compiler/*.cpp ${ROOT}/compiler/*.h ${ROOT}/compiler/*.td ${ROOT}/base/*.h ${ROOT}/base/*.cpp)
list(SORT sources)
set(all "")
foreach(source ${sources})
  file(SHA256 ${ROOT}/${source} hash)
  string(APPEND all "${source} ${hash}\n")
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 16 hash)
file(WRITE ${OUT}.new "\"${hash}\"\n")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUT}.new ${OUT})
