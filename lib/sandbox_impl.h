/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_IMPL_H
#define SANDBOX_IMPL_H
/* sandbox_impl - what the three files of the sandbox share; nobody else includes it. */
#include <stdbool.h>

#include "sandbox.h"

/*
 * The sanitizers map shadow memory, fork a tracer and write reports wherever they were
 * told to: under them Landlock and seccomp are left out, and reported as missing.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

/**
 * sandbox_landlock(o, net_denied, e): restrict the file system, and TCP, abstract sockets
 * and signals where the kernel can.  ERR_UNKNOWN: this kernel or container has no
 * Landlock. ERR_NOENT: a path of ${o}->rw_paths cannot be opened.
 */
int sandbox_landlock(const struct sandbox_options *o, bool *net_denied, struct err *e)
	MUST_CHECK;

/** sandbox_seccomp(profile): load the filter; -1 if that is not possible here. */
int sandbox_seccomp(enum sandbox_profile profile) MUST_CHECK;

#endif
