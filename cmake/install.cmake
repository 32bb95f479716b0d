# The installed package: libtessera.so with every room in it, the headers with their paths in the tree, the CLI, the virtual
# drivers, and find_package(Tessera) with the target Tessera::tessera. A consumer needs no LLVM headers.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# One shared library out of the rooms' objects. The rooms are linked too: by then all their symbols are there, so the archives
# add nothing but what they need from outside the tree.
# The tests' oracles and the benches stay out, and so do the virtual GPUs, which are drivers of their own.
get_property(rooms GLOBAL PROPERTY TESSERA_ROOMS)
add_library(tessera_shared SHARED)
foreach(room ${rooms})
  get_target_property(folder ${room} SOURCE_DIR)
  if(NOT room MATCHES "^tessera_(reference|bench)$" AND NOT folder MATCHES "/runtime/vgpu")
    target_sources(tessera_shared PRIVATE $<TARGET_OBJECTS:${room}>)
    target_link_libraries(tessera_shared PRIVATE ${room})
  endif()
endforeach()
set_target_properties(tessera_shared PROPERTIES OUTPUT_NAME tessera EXPORT_NAME tessera LINKER_LANGUAGE CXX
  SOVERSION ${PROJECT_VERSION_MAJOR} INSTALL_RPATH_USE_LINK_PATH ON)
target_compile_features(tessera_shared INTERFACE cxx_std_20)
target_include_directories(tessera_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/tessera>)
install(TARGETS tessera_shared EXPORT tessera LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET tessera) # the CLI
  set_target_properties(tessera PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS tessera RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
foreach(driver vcuda vhip) # the virtual drivers, with the vendors' names as links beside them
  if(TARGET tessera-${driver})
    install(TARGETS tessera-${driver} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(DIRECTORY ${CMAKE_BINARY_DIR}/lib/${driver} DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endforeach()

# Public headers: the rooms' own, without the compiler's insides and the tests' oracles.
foreach(room base dsl ops runtime autotune)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${room})
    install(DIRECTORY ${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tessera FILES_MATCHING PATTERN "*.h"
      PATTERN "reference" EXCLUDE PATTERN "vgpu" EXCLUDE)
  endif()
endforeach()
install(FILES compiler/assembler.h compiler/compile.h compiler/program.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tessera/compiler)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Tessera)
install(EXPORT tessera NAMESPACE Tessera:: FILE TesseraConfig.cmake DESTINATION ${package})
write_basic_package_version_file(TesseraConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/TesseraConfigVersion.cmake DESTINATION ${package})
