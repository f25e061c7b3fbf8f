/* SPDX-License-Identifier: Apache-2.0 */
/* cubbyhole - job body: {space (16 bytes), place}. */
#include "cubbyhole.h"

#include <string.h>

#include "arena.h"
#include "jobs.h"
#include "kv_walk.h"

#define JOB "cubbyhole"

void cubbyhole_space(struct core *c, const unsigned char token_id[32],
                     const char *accessor, unsigned char out[KV_SPACE])
{
	unsigned char tag[32];

	store_blind(c, tag, "cubbyhole", token_id, 32, accessor, strlen(accessor));
	memcpy(out, tag, KV_SPACE);
}

static struct value *job_body(struct arena *a, const unsigned char space[KV_SPACE],
                              const char *place)
{
	struct value *b = value_object(a);
	void *copy = arena_dup(a, space, KV_SPACE);

	if (copy != NULL)
		value_set_bytes(a, b, "space", copy, KV_SPACE);
	value_set_str(a, b, "place", place);
	return b;
}

int cubbyhole_token_gone(struct core *c, struct arena *a,
                         const struct store_object *token, struct err *e)
{
	unsigned char space[KV_SPACE], job[16];
	bool empty;
	int rc;

	cubbyhole_space(c, token->id, value_cstr_or(a, token->body, "accessor", ""),
	                space);
	if ((rc = kv_space_empty(c, a, space, &empty, e)) != ERR_OK || empty)
		return rc;
	return job_start(c, a, JOB, job_body(a, space, ""), job, e);
}

int cubbyhole_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                    struct err *e)
{
	const struct value *v = value_get(job->body, "space");
	const char *place = value_cstr_or(a, job->body, "place", "");
	unsigned char space[KV_SPACE];
	int rows = KV_SLICE_ROWS, rc;

	if (v == NULL || v->type != V_BYTES || v->len != KV_SPACE)
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	memcpy(space, v->text, KV_SPACE);
	if ((rc = kv_destroy_slice(c, a, space, &place, &rows, e)) != ERR_OK)
		return rc;
	*done = place == NULL;
	if (*done)
		return ERR_OK;
	job->body = job_body(a, space, place);
	value_set_str(a, job->body, "job", JOB);
	return ERR_OK;
}
