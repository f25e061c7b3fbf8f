/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_HOST_REPORT_H
#define SERVER_CORE_HOST_REPORT_H
/*
 * host_report - what an agent says of itself and of the containers that it serves.
 *
 * KIND_REPORT: id = host id; the newest report of each host, whole.  It is for operators
 * to look at: nothing is decided by it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "host.h"

#define REPORT_ERROR_MAX      256u
#define REPORT_TEXT_MAX       256u
#define REPORT_CONTAINERS_MAX 2048u /* in all secrets of a report */

struct host_report {
	struct store_object o;       /* version 0: there is none */
	int64_t generation, boot_ms; /* of the agent: which of two reports is newer */
	int64_t at_ms;               /* when it came */
	int64_t rev, lag_ms, stale;
	const char *last_error;
	/* array of {path, containers: array of {id, name, version, state, since}} */
	const struct value *secrets;
};

/** host_report_load(c, a, host_id, out, e): with ERR_NOENT ${out} is an empty one. */
int host_report_load(struct core *c, struct arena *a,
                     const unsigned char host_id[HOST_ID], struct host_report *out,
                     struct err *e) MUST_CHECK;
/** host_report_of(rep, path): the array of containers that it names for a secret, or
 * NULL. */
const struct value *host_report_of(const struct host_report *rep, const char *path);
/** host_report_show(a, rep, out): "reported", "lag_ms", "stale" and "last_error" into
 * ${out}; null where there is no report. */
void host_report_show(struct arena *a, const struct host_report *rep, struct value *out);

#endif
