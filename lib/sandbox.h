/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_H
#define SANDBOX_H
/*
 * sandbox - dumpable off, no core, capabilities and user dropped, Landlock, seccomp.
 *
 * Each step that the kernel or the container refuses is recorded by name; with
 * require set the first one is an error instead.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

enum sandbox_profile {
	SANDBOX_CORE, /* files below the given directories, inherited sockets; no new
	                 sockets, no exec */
	SANDBOX_NET,  /* inherited listeners and sockets; no files, no connect, no exec */
	SANDBOX_AGENT,  /* sockets; files below the given directories; no exec */
	SANDBOX_HOOK,   /* starts the programs that somebody has configured, anywhere;
	                   nothing   that changes the system */
	SANDBOX_WORKER, /* inherited descriptors only */
	SANDBOX_SCAN,   /* descriptors that it is given only, read at any position */
	SANDBOX_ROTATE, /* starts other people's programs: files and programs below the
	                   given paths, client sockets; nothing that changes the system */
};

struct sandbox_options {
	enum sandbox_profile profile;
	const char *const *rw_paths; /* NULL-terminated, or NULL */
	const char *const *ro_paths;
	const char *const *exec_paths; /* may be read and executed */
	bool require;
	bool drop_user; /* when running as root: to uid and gid below */
	uid_t uid;
	gid_t gid;
	/* Threads are started when there is nothing left that they would not inherit, and
	 * before the filter, which is for all of them and lets no more be started. */
	void (*start_threads)(void *ctx); /* or NULL; SCAN only */
	void *ctx;
	uint64_t caps; /* that stay if we have them, 1 << CAP_…; AGENT and HOOK only */
};

#define SANDBOX_MISSING_MAX 16
struct sandbox_report {
	const char *missing[SANDBOX_MISSING_MAX]; /* literals: "landlock", "seccomp",
	                                             "user", … */
	size_t n;
};

/** sandbox_early(report): before anything else: umask 077, RLIMIT_CORE 0, PR_SET_DUMPABLE
 * 0, PR_SET_NO_NEW_PRIVS. */
void sandbox_early(struct sandbox_report *report);

/** sandbox_enter(o, report, e): user, then Landlock, then seccomp.  ERR_DENIED only with
 * require. */
int sandbox_enter(const struct sandbox_options *o, struct sandbox_report *report,
                  struct err *e) MUST_CHECK;

#endif
