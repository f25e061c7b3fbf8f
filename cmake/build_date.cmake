# SPDX-License-Identifier: Apache-2.0
# VAULT_BUILD_DATE, the date that seal-status shows (RFC 3339, UTC): SOURCE_DATE_EPOCH if it
# is set, else the time of the commit, else now.  The same sources give the same programs.
set(VAULT_BUILD_DATE "")
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH} AND EXISTS "${PROJECT_SOURCE_DIR}/.git")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env TZ=UTC git log -1 "--format=%cd" "--date=format-local:%Y-%m-%dT%H:%M:%SZ"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    OUTPUT_VARIABLE VAULT_BUILD_DATE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT VAULT_BUILD_DATE MATCHES "^[0-9][0-9][0-9][0-9]-")
  string(TIMESTAMP VAULT_BUILD_DATE "%Y-%m-%dT%H:%M:%SZ" UTC) # honours SOURCE_DATE_EPOCH
endif()
