# SPDX-License-Identifier: Apache-2.0
# Compiles migrations/NNNN_name.sql into server_core: see server/core/storage/migrations.h.
set(VAULT_MIGRATIONS_C "${PROJECT_BINARY_DIR}/generated/migrations_embedded.c")
file(GLOB vault_migrations CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/migrations/*.sql")

# The list of files is part of the command, so that a removed one is noticed too.
add_custom_command(
  OUTPUT "${VAULT_MIGRATIONS_C}"
  COMMAND "${CMAKE_COMMAND}"
    "-DFILES=${vault_migrations}"
    "-DOUT=${VAULT_MIGRATIONS_C}"
    -P "${PROJECT_SOURCE_DIR}/cmake/embed_migrations.cmake"
  DEPENDS ${vault_migrations} "${PROJECT_SOURCE_DIR}/cmake/embed_migrations.cmake"
  COMMENT "Embedding migrations"
  VERBATIM)
