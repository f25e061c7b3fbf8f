# SPDX-License-Identifier: Apache-2.0
# cmake -DFILES=a.yaml;b.yaml -DOUT=file.c -P embed_rules.cmake
#
# Text is written as character constants, so no byte of it needs quoting.
set(files "${FILES}")
list(SORT files)

set(arrays "")
set(rows "")
set(count 0)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  string(REGEX REPLACE "('[^']*','[^']*','[^']*','[^']*','[^']*','[^']*','[^']*','[^']*',)"
    "\\1\n\t" bytes "${bytes}")
  string(APPEND arrays "static const char text_${count}[] = {\n\t${bytes}0\n};\n")
  string(APPEND rows "\t{ \"rules/${name}\", text_${count}, sizeof(text_${count}) - 1 },\n")
  math(EXPR count "${count} + 1")
endforeach()

file(WRITE "${OUT}.tmp" "/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from scanner/rules/ by cmake/embed_rules.cmake. */
#include \"scanner/rules/builtin.h\"

${arrays}
const struct rules_file rules_files[] = {
${rows}\t{ 0, 0, 0 },
};
")
file(RENAME "${OUT}.tmp" "${OUT}")
