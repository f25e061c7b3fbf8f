/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_erase - the payloads of versions that no record serves any more.
 *
 * A few go with the request, the others in slices that survive a restart.  Meanwhile a
 * secret of the same name, and so of the same id, may have come: what its record serves
 * is left alone.  Job body: {secret, numbers: 8 bytes each, big-endian}.
 */
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "jobs.h"
#include "kv_walk.h"

#define JOB     "kv-erase"
#define NUMBER  8
#define TIME_MS 2 /* in one go: a large payload takes as long as many small ones */

static void put_number(unsigned char *p, int64_t v)
{
	for (int i = 0; i < NUMBER; i++)
		p[i] = (unsigned char)((uint64_t)v >> (56 - 8 * i));
}

static int64_t get_number(const unsigned char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < NUMBER; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

static struct value *job_body(struct arena *a, const unsigned char secret_id[32],
                              const unsigned char *numbers, size_t n)
{
	struct value *b = value_object(a);
	const void *copy = arena_dup(a, secret_id, 32);

	if (copy != NULL)
		value_set_bytes(a, b, "secret", copy, 32);
	value_set_bytes(a, b, "numbers", numbers, n * NUMBER);
	return b;
}

/* Is it time to let others go on? */
static bool enough(const struct core *c, size_t n, int64_t since)
{
	return n >= KV_SLICE_ROWS || clock_boot(c->clock) - since >= TIME_MS;
}

static int rest_later(struct core *c, struct arena *a, const unsigned char secret_id[32],
                      const struct kv_version *v, size_t n, unsigned char job[16],
                      struct err *e)
{
	unsigned char *numbers = arena_alloc(a, n * NUMBER);
	struct value *body;

	if (numbers == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		put_number(numbers + i * NUMBER, v[i].number);
	body = job_body(a, secret_id, numbers, n);
	return job_start(c, a, JOB, body, job, e);
}

int kv_erase(struct core *c, struct arena *a, const unsigned char secret_id[32],
             const struct kv_versions *gone, struct kv_later *later, struct err *e)
{
	int64_t since = clock_boot(c->clock);
	size_t i = 0;
	int rc;

	for (; i < gone->n && !enough(c, i, since); i++)
		if ((rc = payload_destroy(c, secret_id, gone->at[i].number, e)) != ERR_OK)
			return rc;
	later->any = i < gone->n;
	if (!later->any)
		return ERR_OK;
	return rest_later(c, a, secret_id, gone->at + i, gone->n - i, later->job, e);
}

/* What the secret's record says, if there is one now. */
struct served {
	struct store_object o;
	bool any;
};

static int look(struct core *c, struct arena *a, const unsigned char secret_id[32],
                struct served *out, struct err *e)
{
	int rc = store_get(c, a, KIND_SECRET, secret_id, 32, &out->o, e);

	out->any = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static bool serves(const struct served *s, int64_t number)
{
	struct kv_version v;

	return s->any && kv_meta_version(s->o.body, number, &v) && !v.destroyed;
}

int kv_erase_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                   struct err *e)
{
	const struct value *secret = value_get(job->body, "secret"),
			   *numbers = value_get(job->body, "numbers");
	const unsigned char *id, *at;
	int64_t since = clock_boot(c->clock);
	struct served s = { .any = false };
	size_t n, i = 0;
	int rc;

	if (secret == NULL || secret->len != 32 || numbers == NULL ||
	    numbers->len % NUMBER != 0)
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	id = (const unsigned char *)secret->text;
	at = (const unsigned char *)numbers->text;
	n = numbers->len / NUMBER;
	if ((rc = look(c, a, id, &s, e)) != ERR_OK)
		return rc;
	for (; i < n && !enough(c, i, since); i++) {
		int64_t number = get_number(at + i * NUMBER);

		if (!serves(&s, number) &&
		    (rc = payload_destroy(c, id, number, e)) != ERR_OK)
			return rc;
	}
	*done = i == n;
	if (*done)
		return ERR_OK;
	job->body = job_body(a, id, at + i * NUMBER, n - i);
	value_set_str(a, job->body, "job", JOB);
	return ERR_OK;
}
