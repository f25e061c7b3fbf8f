# SPDX-License-Identifier: Apache-2.0
# vault_flags: language level, warnings and mitigations that every target of ours gets.
include(CheckCCompilerFlag)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

add_library(vault_flags INTERFACE)
target_include_directories(vault_flags INTERFACE
  "${PROJECT_SOURCE_DIR}/include"
  "${PROJECT_SOURCE_DIR}/lib"
  "${PROJECT_SOURCE_DIR}"
  "${PROJECT_BINARY_DIR}/generated")
target_compile_definitions(vault_flags INTERFACE _GNU_SOURCE)
target_compile_options(vault_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes
  -Wundef -Wvla -Wpointer-arith -Wwrite-strings -Wimplicit-fallthrough -Wnull-dereference
  -include "${PROJECT_SOURCE_DIR}/lib/banned.h"
  -fno-common -fno-strict-aliasing -ffunction-sections -fdata-sections
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
# A name of ours that a library has, too, would take the place of the library's own.
target_compile_options(vault_flags INTERFACE -fvisibility=hidden)
target_link_options(vault_flags INTERFACE -Wl,--as-needed)

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(vault_flags INTERFACE
    -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()

if(VAULT_WERROR)
  target_compile_options(vault_flags INTERFACE -Werror)
endif()

if(VAULT_SANITIZE)
  target_compile_options(vault_flags INTERFACE
    "-fsanitize=${VAULT_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(vault_flags INTERFACE "-fsanitize=${VAULT_SANITIZE}")
endif()

if(VAULT_COVERAGE)
  target_compile_options(vault_flags INTERFACE --coverage)
  target_link_options(vault_flags INTERFACE --coverage)
endif()

if(VAULT_HARDEN)
  target_compile_options(vault_flags INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE)
  target_link_options(vault_flags INTERFACE
    -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
  # Not on every architecture, and clang 14 wants a second switch for the last one.
  foreach(flag -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero)
    string(MAKE_C_IDENTIFIER "have${flag}" have)
    check_c_compiler_flag(${flag} ${have})
    if(${have})
      target_compile_options(vault_flags INTERFACE ${flag})
    endif()
  endforeach()
endif()
