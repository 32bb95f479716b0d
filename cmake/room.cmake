# tessera_room(name SOURCES ... LINK ...): a static library for one folder, with the house's warnings.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # -fno-pch-timestamp and the sloppiness let ccache share precompiled headers between build folders.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(tessera_flags INTERFACE)
target_include_directories(tessera_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(tessera_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
# Ninja names sources relative to the build folder; a trace must not tell which folder that was.
cmake_path(RELATIVE_PATH CMAKE_SOURCE_DIR BASE_DIRECTORY ${CMAKE_BINARY_DIR} OUTPUT_VARIABLE up)
string(REGEX REPLACE "/$" "" up "${up}")
if(up MATCHES "^[.][.]")
  target_compile_options(tessera_flags INTERFACE -ffile-prefix-map=${up}/=)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(tessera_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Xclang=-fno-pch-timestamp>)
endif()
if(TESSERA_SANITIZE)
  target_compile_options(tessera_flags INTERFACE -fsanitize=${TESSERA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tessera_flags INTERFACE -fsanitize=${TESSERA_SANITIZE})
endif()

function(tessera_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  set_property(GLOBAL APPEND PROPERTY TESSERA_ROOMS ${name}) # cmake/install.cmake collects them
  target_link_libraries(${name} PUBLIC tessera_flags ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
endfunction()
