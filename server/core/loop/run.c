/* SPDX-License-Identifier: Apache-2.0 */
/* run - one request: its handler in a savepoint, and the record of what it did. */
#include "batch_impl.h"

#include <string.h>

#include "audit.h"
#include "db.h"
#include "dispatch.h"
#include "metrics.h"
#include "mutant.h"
#include "rng.h"
#include "store.h"
#include "vault/limits.h"

static const char *outcome_of(const struct req *r, int rc)
{
	if (rc == ERR_DENIED || r->status == 403 || r->status == 401)
		return "denied";
	return rc != ERR_OK || r->status >= 400 ? "error" : "ok";
}

static const char *actor_type(const struct req *r)
{
	switch (r->id.type) {
	case IDENT_HOST:
		return "host";
	case IDENT_SERVICE:
		return "token";
	default:
		return "none";
	}
}

static int append_record(struct req *r, int rc, struct err *e)
{
	const struct audit_record rec = {
		.request_id = r->request_id,
		.actor_type = actor_type(r),
		.actor = r->id.display_name != NULL ? r->id.display_name : "",
		.accessor = r->id.accessor,
		.remote = r->remote != NULL ? r->remote : "",
		.operation = r->method != 0 ? op_name(r->op) : "malformed",
		.path = r->path,
		.outcome = outcome_of(r, rc),
		.status = r->status,
		.error = rc > 0 && rc < ERR__MAX ? errclasses[rc].wire : "",
		.note = rc == ERR_OK ? r->note : NULL,
	};

	metrics_request(r->core, r->method != 0 ? r->op : OP__MAX, rec.outcome);
	if (r->unrecorded && rc == ERR_OK && r->status < 400)
		return ERR_OK;
	if (MUTANT(MUTANT_READ_UNAUDITED) && r->op == OP_READ)
		return ERR_OK;
	if (MUTANT(MUTANT_AUDIT_TWICE) && r->op == OP_UPDATE &&
	    audit_append(r->core, &rec, e) != ERR_OK)
		return (int)e->code;
	return audit_append(r->core, &rec, e);
}

bool is_fatal(int rc)
{
	return rc == ERR_FULL || rc == ERR_UNKNOWN;
}

static void reset_outputs(struct req *r)
{
	r->reply = NULL;
	r->reply_kind = IPC_K_EMPTY;
	r->status = 0;
	r->retry_after = 0;
	r->reply_id = NULL;
	r->unrecorded = false;
	r->e.code = ERR_OK;
	r->e.msg[0] = '\0';
	if (r->settled)
		return;
	r->note = NULL;
	memset(&r->id, 0, sizeof(r->id));
}

/* The handler, in its savepoint, and the record of what it did.  The record is appended
 * behind the savepoint, so that a request that writes nothing needs none: what cannot be
 * recorded ends the batch. */
static int act_and_record(struct req *r, struct err *e)
{
	struct core *c = r->core;
	struct mark m = mark_now(c->batch);
	int rc, arc;

	if ((rc = db_savepoint(c->db, e)) != ERR_OK)
		return rc;
	savepoint_mark(c);
	rc = dispatch_act(r);
	if (rc == REQ_PARKED)
		return db_release(c->db, e) == ERR_OK ? REQ_PARKED : (int)e->code;
	if (rc == ERR_OK) {
		dispatch_finish(r, ERR_OK);
		rc = db_release(c->db, e);
		return rc == ERR_OK ? append_record(r, ERR_OK, e) : rc;
	}
	if (is_fatal(rc)) {
		*e = r->e;
		return rc;
	}
	if ((arc = savepoint_back(c, &m, e)) != ERR_OK ||
	    (arc = db_release(c->db, e)) != ERR_OK)
		return arc;
	r->note = NULL;
	dispatch_finish(r, rc);
	return append_record(r, rc, e);
}

struct arena *req_scratch(struct req *r)
{
	struct item *it = (struct item *)(void *)r;

	if (it->run == NULL)
		it->run = arena_new(LIMIT_REQUEST_ARENA);
	return it->run != NULL ? it->run : r->a;
}

/* However often a request is run, it takes no more memory for being admitted; and those
 * of hosts, most of which are parked, keep none of it. */
static int admit(struct item *it)
{
	struct req *r = &it->r;
	struct arena *own = r->a;
	int rc;

	if (r->resumed == 0 && (rc = dispatch_slash(r)) != ERR_OK)
		return rc;
	if (r->resumed == 0 && r->listener != IPC_ON_HOSTS)
		return dispatch_admit(r);
	if (req_scratch(r) == own)
		return req_fail(r, ERR_NOMEM, "out of memory");
	r->a = it->run;
	rc = dispatch_admit(r);
	r->a = own;
	return rc == ERR_OK && arena_failed(it->run)
	               ? req_fail(r, ERR_NOMEM, "out of memory")
	               : rc;
}

int run_one(struct item *it, struct err *e)
{
	struct req *r = &it->r;
	int rc = ERR_OK;

	reset_outputs(r);
	if (r->resumed == 0) {
		rng_uuid4(r->request_id);
		r->first_ms = r->core->boot_ms;
		rc = dispatch_decode(r, it->payload, it->n);
	}
	if (rc == ERR_OK)
		rc = admit(it);
	if (rc == ERR_OK)
		return act_and_record(r, e);
	if (is_fatal(rc)) {
		*e = r->e;
		return rc;
	}
	dispatch_finish(r, rc);
	return append_record(r, rc, e);
}

int req_park(struct req *r, enum wait_kind kind, const unsigned char key[16],
             int64_t deadline_ms)
{
	struct item *it = (struct item *)(void *)r;

	it->wait.kind = kind;
	memcpy(it->wait.key, key, 16);
	it->wait.deadline_ms = deadline_ms;
	it->wait.peer = it->peer;
	it->wait.id = it->id;
	return REQ_PARKED;
}

uint64_t req_peer(const struct req *r)
{
	return ((const struct item *)(const void *)r)->peer;
}
