/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "text.h"

#define SCRAMBLE_LEN 40 /* base62 digits: 238 bits */
/* … and what rules about passwords like to see. */
#define SCRAMBLE_TAIL "-aZ7"

/* One driver a process; the ops have no room for a pointer to it. */
static const struct driver *drv;

struct session {
	void *p;
};
#define AUTO_SESSION __attribute__((cleanup(session_end))) struct session

static void session_end(struct session *s)
{
	if (s->p != NULL)
		drv->logout(s->p);
	s->p = NULL;
}

static bool same_text(const char *x, const char *y)
{
	size_t n = strlen(x);

	return n == strlen(y) && sodium_memcmp(x, y, n) == 0;
}

static bool usable(const struct credential *c)
{
	return c->given && c->username != NULL && c->password != NULL &&
	       c->password[0] != '\0';
}

static bool same_credential(const struct credential *x, const struct credential *y)
{
	return usable(x) && usable(y) && strcmp(x->username, y->username) == 0 &&
	       same_text(x->password, y->password);
}

/* The account that acts must not merely be let in: LOGIN_UNPROVEN is good enough. */
static int act_as(struct request *r, const struct credential *c, const char *what,
                  struct session *s, struct answer *a)
{
	int rc = request_need(c, what, false, a);

	if (rc != 0)
		return rc;
	switch (drv->login(r, c, &s->p, a)) {
	case LOGIN_OK:
	case LOGIN_UNPROVEN:
		return 0;
	case LOGIN_REFUSED:
		return answer_fail(a, CLASS_AUTH, "the target refuses '%s' (%.64s)", what,
		                   c->username);
	case LOGIN_BARRED:
	case LOGIN_UNKNOWN:
		break;
	}
	return a->class != CLASS_NONE
	               ? (int)a->class
	               : answer_fail(a, CLASS_RETRYABLE, "cannot log in as '%s'", what);
}

static int strategy_of(const struct request *r, enum strategy *s, struct answer *a)
{
	int rc = rotator_strategy(r, s, a);

	if (rc != 0 || (drv->rotator.strategies & (unsigned)*s) != 0)
		return rc;
	return answer_fail(a, CLASS_PERMANENT, "%s does not have that strategy",
	                   drv->rotator.name);
}

/* --- probe --- */

static enum verdict judge(struct request *r, const struct credential *c, const char *what)
{
	AUTO_SESSION s = { 0 };
	struct answer why = { 0 };

	if (!c->given)
		return VERDICT_NONE;
	if (!usable(c))
		return VERDICT_UNKNOWN;
	switch (drv->login(r, c, &s.p, &why)) {
	case LOGIN_OK:
	case LOGIN_BARRED:
		return VERDICT_VALID;
	case LOGIN_REFUSED:
		return VERDICT_INVALID;
	case LOGIN_UNPROVEN:
		rotator_note(r, "probe: %s: the target asks for no password", what);
		return VERDICT_UNKNOWN;
	case LOGIN_UNKNOWN:
		break;
	}
	rotator_note(r, "probe: %s: %s", what, why.message);
	return VERDICT_UNKNOWN;
}

/* Credentials that are the same are tried once: each try may count against the account. A
 * change that a killed call has left under way may come true between two tries: asked in
 * this order, none of the two can be missed. */
static int probe(struct request *r, struct answer *a)
{
	a->probed = true;
	a->current = judge(r, &r->current, "current");
	a->pending = same_credential(&r->current, &r->pending)
	                     ? a->current
	                     : judge(r, &r->pending, "pending");
	if (same_credential(&r->previous, &r->pending))
		a->previous = a->pending;
	else if (same_credential(&r->previous, &r->current))
		a->previous = a->current;
	else
		a->previous = judge(r, &r->previous, "previous");
	return 0;
}

/* --- set, test, revert --- */

/* A target that refuses a value because it has it already has done what was asked. */
static int set_or_had(struct request *r, const struct session *s,
                      const struct credential *to, bool own, struct answer *a)
{
	AUTO_SESSION proof = { 0 };
	struct answer why = { 0 };
	int rc = drv->set(r, s->p, to->username, to->password, own, a);

	/* It costs a failed login to ask where the answer is known. */
	if (rc != CLASS_REJECTED || r->first ||
	    drv->login(r, to, &proof.p, &why) != LOGIN_OK)
		return rc;
	return answer_noop(a, "the account has this value already");
}

/* The account changes itself: logs in with ${from}, or has ${to} already. */
static int set_own(struct request *r, const struct credential *from, const char *what,
                   const struct credential *to, struct answer *a)
{
	AUTO_SESSION s = { 0 };
	AUTO_SESSION proof = { 0 };
	struct answer why = { 0 };
	int rc;

	if ((rc = request_need(from, what, true, a)) != 0)
		return rc;
	if (from->username == NULL || strcmp(from->username, to->username) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "an account can change its own password only: give an "
		                   "'admin'");
	if ((rc = act_as(r, from, what, &s, a)) == 0)
		return set_or_had(r, &s, to, true, a);
	if (rc != CLASS_AUTH)
		return rc;
	if (drv->login(r, to, &proof.p, &why) == LOGIN_OK)
		return answer_noop(a, "the account has this value already");
	return rc;
}

static int set_to(struct request *r, const struct credential *from, const char *what,
                  const struct credential *to, struct answer *a)
{
	AUTO_SESSION s = { 0 };
	int rc = request_allows(r, to->username, a);

	if (rc != 0)
		return rc;
	if (!r->admin.given)
		return set_own(r, from, what, to, a);
	if ((rc = act_as(r, &r->admin, "admin", &s, a)) != 0 ||
	    (rc = drv->check(r, s.p, to->username, a)) != 0)
		return rc;
	return set_or_had(r, &s, to, false, a);
}

static int set(struct request *r, struct answer *a)
{
	enum strategy strategy;
	int rc = request_need(&r->pending, "pending", true, a);

	if (rc != 0 || (rc = strategy_of(r, &strategy, a)) != 0)
		return rc;
	/* dual_user leaves alone what is being served. */
	if (strategy == STRATEGY_DUAL_USER && r->current.given &&
	    r->current.username != NULL &&
	    strcmp(r->current.username, r->pending.username) == 0 &&
	    !same_credential(&r->current, &r->pending))
		return answer_fail(a, CLASS_PERMANENT,
		                   "'pending' is for the account that is in use");
	return set_to(r, &r->current, "current", &r->pending, a);
}

static int test(struct request *r, struct answer *a)
{
	AUTO_SESSION s = { 0 };
	int rc = request_need(&r->pending, "pending", true, a);

	if (rc != 0 || (rc = request_allows(r, r->pending.username, a)) != 0)
		return rc;
	switch (drv->login(r, &r->pending, &s.p, a)) {
	case LOGIN_OK:
		return 0;
	case LOGIN_REFUSED:
		return answer_fail(a, CLASS_PERMANENT,
		                   "the target refuses the new value");
	case LOGIN_UNPROVEN:
		return answer_fail(a, CLASS_PERMANENT,
		                   "the target asks for no password when this account "
		                   "logs in from here: that proves nothing");
	case LOGIN_BARRED:
	case LOGIN_UNKNOWN:
		break;
	}
	/* The account that acts is not at fault here. */
	return answer_fail(a, a->class == CLASS_PERMANENT ? a->class : CLASS_RETRYABLE,
	                   "cannot test the new value: %s",
	                   arena_str(r->arena, a->message));
}

static int revert(struct request *r, struct answer *a)
{
	enum strategy strategy;
	int rc = request_need(&r->current, "current", true, a);

	if (rc != 0 || (rc = strategy_of(r, &strategy, a)) != 0)
		return rc;
	if (strategy != STRATEGY_SINGLE)
		return answer_noop(a, "'current' has been left as it is");
	return set_to(r, &r->pending, "pending", &r->current, a);
}

/* --- retire --- */

static int retire_how(const struct request *r, const char **how, struct answer *a)
{
	int rc = config_text(r, "retire", "scramble", how, a);

	if (rc != 0)
		return rc;
	if (strcmp(*how, "scramble") != 0 && strcmp(*how, "keep") != 0 &&
	    strcmp(*how, "disable") != 0)
		return answer_fail(
			a, CLASS_PERMANENT,
			"config.retire is none of 'scramble', 'keep' and 'disable'");
	if (strcmp(*how, "disable") == 0 && drv->disable == NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.retire: %s cannot disable an account",
		                   drv->rotator.name);
	return 0;
}

static int retire_user(struct request *r, const char *how, struct answer *a)
{
	AUTO_SESSION s = { 0 };
	char scrambled[SCRAMBLE_LEN + sizeof(SCRAMBLE_TAIL)];
	bool own = !r->admin.given;
	int rc;

	/* Without an administrator the account that is retired acts itself, and cannot
	 * when it has been scrambled: then nothing is left to do. */
	rc = act_as(r, own ? &r->previous : &r->admin, own ? "previous" : "admin", &s, a);
	if (rc == CLASS_AUTH && own)
		return answer_noop(a, "the old value is not valid any more");
	if (rc != 0 || (!own && (rc = drv->check(r, s.p, r->previous.username, a)) != 0))
		return rc;
	if (strcmp(how, "disable") == 0)
		return drv->disable(r, s.p, r->previous.username, a);
	text_base62_random(scrambled, SCRAMBLE_LEN);
	memcpy(scrambled + SCRAMBLE_LEN, SCRAMBLE_TAIL, sizeof(SCRAMBLE_TAIL));
	rc = drv->set(r, s.p, r->previous.username, scrambled, own, a);
	answer_scrub(a->message, scrambled);
	sodium_memzero(scrambled, sizeof(scrambled));
	return rc;
}

static int retire_key(struct request *r, struct answer *a)
{
	AUTO_SESSION s = { 0 };
	bool own = !r->admin.given;
	int rc = act_as(r, own ? &r->current : &r->admin, own ? "current" : "admin", &s,
	                a);

	if (rc != 0)
		return rc;
	return drv->drop(r, s.p, &r->previous, a);
}

static int retire(struct request *r, struct answer *a)
{
	enum strategy strategy;
	const char *how;
	int rc;

	if ((rc = strategy_of(r, &strategy, a)) != 0 ||
	    (rc = retire_how(r, &how, a)) != 0)
		return rc;
	if (strategy == STRATEGY_SINGLE)
		return answer_noop(a, "setting the new value ended the old one");
	if (!r->previous.given)
		return answer_noop(a, "there is no previous value");
	if ((rc = request_need(&r->previous, "previous", true, a)) != 0 ||
	    (rc = request_allows(r, r->previous.username, a)) != 0)
		return rc;
	if (same_credential(&r->previous, &r->current) ||
	    same_credential(&r->previous, &r->pending))
		return answer_fail(a, CLASS_PERMANENT,
		                   "'previous' is a value that is in use");
	if (strcmp(how, "keep") == 0)
		return answer_noop(a, "the configuration keeps the old value");
	if (strategy == STRATEGY_DUAL_KEY)
		return retire_key(r, a);
	if (r->current.given && r->current.username != NULL &&
	    strcmp(r->previous.username, r->current.username) == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "'previous' is of the account that is in use");
	return retire_user(r, how, a);
}

/* --- accounts that a secrets engine makes --- */

static int login(struct request *r, struct answer *a)
{
	AUTO_SESSION s = { 0 };

	return act_as(r, r->admin.given ? &r->admin : &r->current,
	              r->admin.given ? "admin" : "current", &s, a);
}

static int on_user(struct request *r, bool password, struct answer *a,
                   int (*act)(struct request *r, void *session, struct answer *a))
{
	AUTO_SESSION s = { 0 };
	int rc = request_need(&r->pending, "pending", password, a);

	if (rc != 0 || (rc = request_need(&r->admin, "admin", false, a)) != 0)
		return rc;
	if (strcmp(r->pending.username, r->admin.username) == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "'pending' is the account that acts");
	if ((rc = act_as(r, &r->admin, "admin", &s, a)) != 0)
		return rc;
	return act(r, s.p, a);
}

static int user_create(struct request *r, struct answer *a)
{
	return on_user(r, true, a, drv->user_create);
}

static int user_renew(struct request *r, struct answer *a)
{
	return on_user(r, false, a, drv->user_renew);
}

static int user_revoke(struct request *r, struct answer *a)
{
	return on_user(r, false, a, drv->user_revoke);
}

int account_main(const struct driver *d)
{
	struct rotator self = d->rotator;

	drv = d;
	self.run[OP_PROBE] = probe;
	self.run[OP_SET] = set;
	self.run[OP_TEST] = test;
	self.run[OP_RETIRE] = retire;
	self.run[OP_REVERT] = revert;
	self.run[OP_LOGIN] = login;
	self.run[OP_USER_CREATE] = user_create;
	self.run[OP_USER_RENEW] = user_renew;
	self.run[OP_USER_REVOKE] = user_revoke;
	return rotator_main(&self);
}
