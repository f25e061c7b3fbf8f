/* SPDX-License-Identifier: Apache-2.0 */
/* job_wait - requests whose effect goes on in jobs, and that answer when it is over. */
#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "req.h"

#define WAIT_MS 10000 /* then it is looked whether a wake-up was missed */

struct waiting {
	const unsigned char (*jobs)[16];
	size_t n;
};

static int wait_on(struct req *r, const struct waiting *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct store_object o;
		int rc = store_get(r->core, r->a, KIND_JOB, w->jobs[i], 16, &o, &r->e);

		if (rc == ERR_OK)
			return req_park(r, WAIT_JOB, w->jobs[i],
			                r->core->boot_ms + WAIT_MS);
		if (rc != ERR_NOENT)
			return rc;
	}
	return ERR_OK;
}

int job_wait(struct req *r, const unsigned char (*jobs)[16], size_t n)
{
	struct waiting *w = arena_alloc(r->a, sizeof(*w));
	int rc;

	if (w == NULL || (w->jobs = arena_dup(r->a, jobs, n * 16)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	w->n = n;
	r->park_state = w;
	if ((rc = req_settle(r)) != ERR_OK)
		return rc;
	return wait_on(r, w);
}

bool job_waiting(struct req *r, int *rc)
{
	if (!r->settled)
		return false;
	*rc = wait_on(r, r->park_state);
	return true;
}
