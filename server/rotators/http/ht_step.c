/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "ht.h"

bool ht_same(const struct credential *x, const struct credential *y)
{
	return x->given && y->given && json_equal(x->fields, y->fields) != 0;
}

static struct ht_scope scope_of(struct request *r)
{
	return (struct ht_scope){ .r = r,
		                  .current = &r->current,
		                  .pending = &r->pending };
}

/* --- trying --- */

enum verdict ht_try(struct request *r, const struct credential *c, struct answer *a)
{
	AUTO_REPLY reply = { 0 };
	struct ht_scope s = scope_of(r);

	if (!c->given)
		return VERDICT_NONE;
	s.credential = c;
	switch (ht_run(&s, ht_spec(r, "probe"), "probe", true, &reply, a)) {
	case 0:
		return VERDICT_VALID;
	case CLASS_AUTH:
		return VERDICT_INVALID;
	default:
		return VERDICT_UNKNOWN;
	}
}

static enum verdict judge(struct request *r, const struct credential *c, const char *what)
{
	struct answer why = { 0 };
	enum verdict v = ht_try(r, c, &why);

	if (v == VERDICT_UNKNOWN)
		rotator_note(r, "probe: %s: %s", what, why.message);
	return v;
}

int ht_probe(struct request *r, struct answer *a)
{
	if (ht_spec(r, "probe") == NULL)
		return answer_fail(
			a, CLASS_PERMANENT,
			"config.requests.probe is missing: it says what works");
	a->probed = true;
	a->pending = judge(r, &r->pending, "pending");
	a->current = ht_same(&r->current, &r->pending) ? a->pending
	                                               : judge(r, &r->current, "current");
	if (ht_same(&r->previous, &r->pending))
		a->previous = a->pending;
	else if (ht_same(&r->previous, &r->current))
		a->previous = a->current;
	else
		a->previous = judge(r, &r->previous, "previous");
	return 0;
}

/* By a request of its own, or by the one that probes. */
int ht_test(struct request *r, struct answer *a)
{
	AUTO_REPLY reply = { 0 };
	struct ht_scope s = scope_of(r);
	const json_t *spec = ht_spec(r, "test");
	int rc;

	if (!r->pending.given)
		return answer_fail(a, CLASS_PERMANENT, "the request has no 'pending'");
	s.credential = &r->pending;
	rc = ht_run(&s, spec != NULL ? spec : ht_spec(r, "probe"),
	            spec != NULL ? "test" : "probe", true, &reply, a);
	/* The account that acts is not at fault here. */
	if (rc == CLASS_AUTH || rc == CLASS_REJECTED)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the target refuses the new value");
	return rc;
}

int ht_login(struct request *r, struct answer *a)
{
	AUTO_REPLY reply = { 0 };
	struct ht_scope s = scope_of(r);

	if (ht_spec(r, "login") == NULL)
		return answer_noop(a, "there is no config.requests.login");
	s.credential = r->admin.given ? &r->admin : &r->current;
	return ht_run(&s, ht_spec(r, "login"), "login", false, &reply, a);
}

/* --- setting --- */

/* A target that refuses may do so because it has done it: the first reply was lost. */
static int set_or_had(struct request *r, const struct ht_scope *s, const char *name,
                      struct answer *a)
{
	AUTO_REPLY reply = { 0 };
	struct answer why = { 0 };
	int rc = ht_run(s, ht_spec(r, name), name, false, &reply, a);

	if ((rc != CLASS_AUTH && rc != CLASS_REJECTED) || r->first ||
	    ht_try(r, s->pending, &why) != VERDICT_VALID)
		return rc;
	return answer_noop(a, "the account has this value already");
}

int ht_set(struct request *r, struct answer *a)
{
	struct ht_scope s = scope_of(r);
	enum strategy strategy;
	int rc;

	if ((rc = rotator_strategy(r, &strategy, a)) != 0 ||
	    (rc = request_need(&r->pending, "pending", true, a)) != 0 ||
	    (rc = request_allows(r, r->pending.username, a)) != 0)
		return rc;
	if (strategy != STRATEGY_SINGLE && strategy != STRATEGY_DUAL_USER)
		return answer_fail(
			a, CLASS_PERMANENT,
			"the target makes the value itself with this strategy");
	if (strategy == STRATEGY_DUAL_USER && r->current.given &&
	    r->current.username != NULL &&
	    strcmp(r->current.username, r->pending.username) == 0 &&
	    !ht_same(&r->current, &r->pending))
		return answer_fail(a, CLASS_PERMANENT,
		                   "'pending' is for the account that is in use");
	s.credential = &r->pending;
	return set_or_had(r, &s, "set", a);
}

/* The way back is the way there with both values changed over, unless it is another. */
int ht_revert(struct request *r, struct answer *a)
{
	struct ht_scope s = scope_of(r);
	enum strategy strategy;
	int rc;

	if ((rc = rotator_strategy(r, &strategy, a)) != 0)
		return rc;
	if (strategy != STRATEGY_SINGLE)
		return answer_noop(a, "'current' has been left as it is");
	if ((rc = request_need(&r->current, "current", true, a)) != 0 ||
	    (rc = request_allows(r, r->current.username, a)) != 0)
		return rc;
	if (ht_spec(r, "revert") != NULL) {
		AUTO_REPLY reply = { 0 };

		s.credential = &r->current;
		return ht_run(&s, ht_spec(r, "revert"), "revert", false, &reply, a);
	}
	s.current = &r->pending;
	s.pending = s.credential = &r->current;
	return set_or_had(r, &s, "set", a);
}

/* --- retiring --- */

static int retire_user(struct request *r, struct answer *a)
{
	int rc;

	if (ht_spec(r, "retire") == NULL)
		return answer_noop(a, "there is no config.requests.retire");
	if ((rc = request_need(&r->previous, "previous", false, a)) != 0 ||
	    (rc = request_allows(r, r->previous.username, a)) != 0)
		return rc;
	if (r->current.given && r->current.username != NULL &&
	    strcmp(r->current.username, r->previous.username) == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "'previous' is of the account that is in use");
	return 0;
}

/* An attempt that is taken back before anybody has heard of its key has a copy of the old
 * one in its place: that stays, and what the attempt has made goes. */
static int retire_unheard(struct request *r, struct answer *a)
{
	size_t n;
	int rc = ht_sweep(r, &n, a);

	if (rc != 0 || n > 0)
		return rc;
	return answer_noop(a, "'previous' is in use, and the attempt has made nothing");
}

/* The first key takes the place of whatever the secret had before.  What lacks fields
 * that `create` gives was not made by it: nothing is to be done if it has none of them,
 * or if the target refuses it. */
static bool never_made(struct request *r)
{
	const json_t *fields = json_object_get(ht_spec(r, "create"), "fields");
	struct answer why = { 0 };
	size_t has = 0;
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)fields, name, v)
		has += json_is_string(json_object_get(r->previous.fields, name));
	if (has == json_object_size(fields))
		return false;
	return has == 0 || ht_try(r, &r->previous, &why) == VERDICT_INVALID;
}

int ht_retire(struct request *r, struct answer *a)
{
	AUTO_REPLY reply = { 0 };
	struct ht_scope s = scope_of(r);
	enum strategy strategy;
	int rc;

	if ((rc = rotator_strategy(r, &strategy, a)) != 0)
		return rc;
	if (strategy == STRATEGY_SINGLE)
		return answer_noop(a, "setting the new value ended the old one");
	if (!r->previous.given)
		return answer_noop(a, "there is no previous value");
	if (strategy == STRATEGY_DUAL_USER) {
		if ((rc = retire_user(r, a)) != 0 || a->noop)
			return rc;
	} else if (ht_same(&r->previous, &r->current) ||
	           ht_same(&r->previous, &r->pending)) {
		return retire_unheard(r, a);
	} else if (never_made(r)) {
		return answer_noop(a, "'previous' was not made by the target");
	}
	s.credential = &r->previous;
	return ht_run(&s, ht_spec(r, "retire"), "retire", false, &reply, a);
}
