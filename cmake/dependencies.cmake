# SPDX-License-Identifier: Apache-2.0
# Each system library is an imported target dep::NAME; a target links only what it uses.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(vault_dependency name module minimum)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET "${module}>=${minimum}")
  add_library(dep::${name} ALIAS PkgConfig::${name})
endfunction()

vault_dependency(sodium libsodium 1.0.18)
vault_dependency(nettle nettle 3.7)
vault_dependency(microhttpd libmicrohttpd 0.9.75)
vault_dependency(sqlite3 sqlite3 3.40)
vault_dependency(curl libcurl 7.88)
vault_dependency(jansson jansson 2.14)
vault_dependency(gnutls gnutls 3.7)
vault_dependency(crypt libcrypt 4.4)
vault_dependency(seccomp libseccomp 2.5)
vault_dependency(yaml yaml-0.1 0.2.5)
vault_dependency(cyaml libcyaml 1.3)
vault_dependency(isal libisal 2.30)
vault_dependency(zstd libzstd 1.5)
vault_dependency(lzma liblzma 5.4)
vault_dependency(archive libarchive 3.6)

# Client libraries of one rotator each: where one is missing, so is that rotator.
function(vault_optional_dependency name module minimum)
  pkg_check_modules(${name} IMPORTED_TARGET "${module}>=${minimum}")
  if(${name}_FOUND)
    add_library(dep::${name} ALIAS PkgConfig::${name})
  endif()
endfunction()

vault_optional_dependency(libpq libpq 13)
vault_optional_dependency(mariadb libmariadb 3.3)
vault_optional_dependency(hiredis hiredis 0.14)
vault_optional_dependency(libssh libssh 0.9)
