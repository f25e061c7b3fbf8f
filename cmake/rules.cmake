# SPDX-License-Identifier: Apache-2.0
# vault_embed_rules(OBJECTS LIB...): a program of scanner/embed and of the scanner's objects
# that is run while everything is built (through CMAKE_CROSSCOMPILING_EMULATOR if it is for
# another machine); it makes VAULT_RULES_C of scanner/rules/*.yaml.
set(VAULT_RULES_C "${PROJECT_BINARY_DIR}/generated/rules_embedded.c")

function(vault_embed_rules objects)
  file(GLOB rules CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/scanner/rules/*.yaml")
  list(SORT rules)
  add_executable(vault-embed-rules scanner/embed/main.c scanner/embed/emit.c)
  set_target_properties(vault-embed-rules PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/generated")
  target_link_libraries(vault-embed-rules PRIVATE ${objects} ${ARGN} vault_flags)
  target_include_directories(vault-embed-rules PRIVATE "${PROJECT_SOURCE_DIR}/scanner")
  # The list of files is part of the command, so that a removed one is noticed too.
  add_custom_command(
    OUTPUT "${VAULT_RULES_C}"
    COMMAND vault-embed-rules "${VAULT_RULES_C}" ${rules}
    DEPENDS vault-embed-rules ${rules}
    COMMENT "Embedding the scanner's rules"
    VERBATIM)
endfunction()
