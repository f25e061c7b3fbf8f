/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ROTATOR_RUN_H
#define CLI_ROTATOR_RUN_H
/*
 * rotator_run - one call of a rotator as vaultd makes it: no arguments, few variables,
 * the request on standard input, bounded output, an end to its time.  Can also kill it at
 * a chosen moment.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define ROTATOR_OUTPUT_MAX (64u * 1024)
#define ROTATOR_GRACE_MS   2000 /* from SIGTERM at the deadline to SIGKILL */

enum rotator_end {
	ROTATOR_REPLIED,  /* exit status 0, one JSON object */
	ROTATOR_NO_REPLY, /* another status, or something else on standard output */
	ROTATOR_CRASHED,  /* a signal that nobody sent: not SIGALRM, SIGTERM, SIGKILL */
	ROTATOR_KILLED,   /* at the chosen moment */
	ROTATOR_LATE,     /* was there still after deadline and grace */
	ROTATOR_FLOODED,  /* over ROTATOR_OUTPUT_MAX of output */
};

struct rotator_call {
	const char *program; /* an absolute path */
	const char *dir;     /* it works there */
	const char *input;
	size_t input_len;
	int64_t deadline_ms;
	int64_t kill_us; /* after this time; -1: never */
};

struct rotator_result {
	enum rotator_end end;
	int64_t took_us;
	json_t *reply; /* owned; NULL unless ROTATOR_REPLIED */
	char *err;     /* what it said on standard error; malloc'ed, NUL-terminated */
	size_t err_len;
};

/** rotator_run(call, out, e): ERR_OK whatever the program did; ERR_IO, ERR_NOENT or
 * ERR_NOMEM if it could not be run.  rotator_result_clear(out) wipes and frees. */
int rotator_run(const struct rotator_call *call, struct rotator_result *out,
                struct err *e) MUST_CHECK;
void rotator_result_clear(struct rotator_result *r);

#endif
