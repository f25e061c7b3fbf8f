# SPDX-License-Identifier: Apache-2.0
# assert() stays active in every build type: a vault stops rather than limps on.
set(CMAKE_C_FLAGS_DEBUG "-Og -g" CACHE STRING "Flags of a debug build")
set(CMAKE_C_FLAGS_RELEASE "-O2" CACHE STRING "Flags of a release build")
set(CMAKE_C_FLAGS_SANITIZE "-O1 -g" CACHE STRING "Flags of a build with sanitizers")
