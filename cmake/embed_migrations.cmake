# SPDX-License-Identifier: Apache-2.0
# cmake -DFILES=a.sql;b.sql -DOUT=file.c -P embed_migrations.cmake
#
# Text is written as character constants, so no byte of it needs quoting.
set(files "${FILES}")
list(SORT files)

set(arrays "")
set(rows "")
set(count 0)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  math(EXPR count "${count} + 1")
  if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)\\.sql$")
    message(FATAL_ERROR "migrations/${name}: the name must be NNNN_name.sql")
  endif()
  set(digits "${CMAKE_MATCH_1}")
  set(title "${CMAKE_MATCH_2}")
  string(REGEX REPLACE "^0+" "" number "${digits}")
  if(NOT number STREQUAL count)
    message(FATAL_ERROR "migrations/${name}: the next number is ${count}")
  endif()

  file(READ "${file}" hex HEX)
  if(hex MATCHES "^(..)*00")
    message(FATAL_ERROR "migrations/${name}: contains a NUL byte")
  endif()
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  string(REGEX REPLACE "('[^']*','[^']*','[^']*','[^']*','[^']*','[^']*','[^']*','[^']*',)"
    "\\1\n\t" bytes "${bytes}")
  string(APPEND arrays "static const char sql_${digits}[] = {\n\t${bytes}0\n};\n")

  file(SHA256 "${file}" digest)
  string(REGEX REPLACE "(..)" "0x\\1," digest "${digest}")
  string(APPEND rows "\t{ ${number}, \"${title}\", sql_${digits},\n\t  { ${digest} } },\n")
endforeach()

file(WRITE "${OUT}.tmp" "/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from migrations/ by cmake/embed_migrations.cmake. */
#include \"server/core/storage/migrations.h\"

${arrays}
const struct migration migrations[] = {
${rows}\t{ 0, NULL, NULL, { 0 } },
};
const size_t migrations_count = ${count};
")
file(RENAME "${OUT}.tmp" "${OUT}")
