# SPDX-License-Identifier: Apache-2.0
# Compiles scanner/rules/*.yaml into scanner_core: see scanner/rules/builtin.h.
set(VAULT_RULES_C "${PROJECT_BINARY_DIR}/generated/rules_embedded.c")
file(GLOB vault_rules CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/scanner/rules/*.yaml")

# The list of files is part of the command, so that a removed one is noticed too.
add_custom_command(
  OUTPUT "${VAULT_RULES_C}"
  COMMAND "${CMAKE_COMMAND}"
    "-DFILES=${vault_rules}"
    "-DOUT=${VAULT_RULES_C}"
    -P "${PROJECT_SOURCE_DIR}/cmake/embed_rules.cmake"
  DEPENDS ${vault_rules} "${PROJECT_SOURCE_DIR}/cmake/embed_rules.cmake"
  COMMENT "Embedding the scanner's rules"
  VERBATIM)
