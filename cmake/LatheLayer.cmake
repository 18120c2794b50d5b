# lathe_add_layer(NAME SOURCES ... PUBLIC ... PRIVATE ...): one static library a layer, target lathe_NAME, alias lathe::NAME; installed with
# its headers, but for those of folders that are nobody else's business.
function(lathe_add_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(lathe_${name} STATIC ${ARG_SOURCES})
  add_library(lathe::${name} ALIAS lathe_${name})
  set_target_properties(lathe_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(lathe_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/lathe>)
  target_compile_features(lathe_${name} PUBLIC cxx_std_20)
  target_link_libraries(lathe_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  lathe_set_warnings(lathe_${name})
  install(TARGETS lathe_${name} EXPORT LatheTargets)
  install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lathe/${name}
    FILES_MATCHING PATTERN "*.h" PATTERN internal EXCLUDE PATTERN kernels EXCLUDE PATTERN cli EXCLUDE)
endfunction()

# Warnings, and errors from them in developer mode; sanitizers where asked for. -Wno-psabi: how vectors of eight floats are passed depends on
# the processor, but the functions that take them are always inlined and pass nothing (hwmodels/packed_floats.h).
function(lathe_set_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-missing-field-initializers -Wno-psabi)
  if(LATHE_DEVELOPER_MODE)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(LATHE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${LATHE_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${LATHE_SANITIZE})
  endif()
endfunction()

# Headers that most files of a target include, parsed once. Not in developer mode: there every file has to name what it includes, and
# ccache keeps what was compiled.
function(lathe_precompile target)
  if(NOT LATHE_DEVELOPER_MODE AND NOT CMAKE_CROSSCOMPILING)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# For code that waits for files and people: a fifth less to compile, and nothing to notice. Not in developer mode, whose builds ccache keeps.
function(lathe_compile_quickly target)
  if(NOT LATHE_DEVELOPER_MODE)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()
