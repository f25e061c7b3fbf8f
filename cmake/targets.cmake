# SPDX-License-Identifier: Apache-2.0

# vault_objects(NAME SOURCES_RECURSE GLOB LIBS TARGET...): objects of every matching file but
# those of a program, which is in a directory with a main.c.
function(vault_objects name)
  cmake_parse_arguments(arg "" "SOURCES_RECURSE" "LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${arg_SOURCES_RECURSE}")
  set(programs ${sources})
  list(FILTER programs INCLUDE REGEX "/main\\.c$")
  foreach(main IN LISTS programs)
    get_filename_component(dir "${main}" DIRECTORY)
    list(FILTER sources EXCLUDE REGEX "^${dir}/")
  endforeach()
  add_library(${name} OBJECT ${sources})
  target_link_libraries(${name} PUBLIC vault_flags ${arg_LIBS})
endfunction()

# vault_library(NAME [SOURCES GLOB] [SOURCES_RECURSE GLOB] [EXTRA FILE...] LIBS TARGET...)
# A static library of every matching file but main.c.  With no file to compile it is an
# interface library, so that whoever links it need not care.
function(vault_library name)
  cmake_parse_arguments(arg "" "SOURCES;SOURCES_RECURSE" "EXTRA;LIBS" ${ARGN})
  if(arg_SOURCES)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${arg_SOURCES}")
  else()
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS
      "${PROJECT_SOURCE_DIR}/${arg_SOURCES_RECURSE}")
  endif()
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  list(APPEND sources ${arg_EXTRA})
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC vault_flags ${arg_LIBS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE vault_flags ${arg_LIBS})
  endif()
endfunction()

# vault_program(NAME MAIN LIB...): bin/NAME, once its main file exists.  Only programs are
# stripped of unused sections: Criterion finds its tests in one that nothing refers to.
function(vault_program name main)
  file(GLOB found CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${main}")
  if(found)
    add_executable(${name} ${found})
    target_link_libraries(${name} PRIVATE ${ARGN} vault_flags)
    target_link_options(${name} PRIVATE -Wl,--gc-sections)
  endif()
endfunction()

# vault_rotator(NAME LIB...): bin/vault-rotator-NAME of server/rotators/NAME, and the library
# rotator_NAME of all of it but main.c; neither if one of the client libraries is missing.
function(vault_rotator name)
  foreach(lib IN LISTS ARGN)
    if(NOT TARGET ${lib})
      message(STATUS "vault-rotator-${name} is left out: ${lib} was not found")
      return()
    endif()
  endforeach()
  vault_library(rotator_${name} SOURCES server/rotators/${name}/*.c LIBS rotator_lib ${ARGN})
  target_include_directories(rotator_${name} PUBLIC
    "${PROJECT_SOURCE_DIR}/server/rotators/${name}")
  vault_program(vault-rotator-${name} server/rotators/${name}/main.c rotator_${name}
    rotator_lib vault_lib)
endfunction()

# libcurl, but for programs that vault_late_curl() was called for.
set(VAULT_CURL "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:VAULT_LATE_CURL>>>:dep::curl>")

# vault_late_curl(NAME): the program loads libcurl when it first needs it: see
# cli/late/curl.c.  By the name that it would be linked with, which is that of the file up
# to the first number; where there is none, it is linked as usual.
function(vault_late_curl name)
  if(NOT TARGET ${name})
    return()
  endif()
  get_target_property(files dep::curl INTERFACE_LINK_LIBRARIES)
  foreach(file IN LISTS files)
    file(REAL_PATH "${file}" file)
    if(file MATCHES "/(libcurl[^/]*\\.so\\.[0-9]+)[^/]*$")
      target_sources(${name} PRIVATE cli/late/curl.c)
      target_compile_definitions(${name} PRIVATE "VAULT_LIBCURL=\"${CMAKE_MATCH_1}\"")
      set_target_properties(${name} PROPERTIES VAULT_LATE_CURL ON)
      return()
    endif()
  endforeach()
endfunction()
