/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CORE_TARGET_RIG_H
#define TESTS_UNIT_CORE_TARGET_RIG_H
/*
 * target_rig - a target with accounts behind a rotate role that does as it is told: it
 * applies a step and says so, applies it and says nothing, does not apply it, refuses.
 */
#include "host_rig.h"

#include "server/core/loop/jobs.h"
#include "server/core/rotation/rotation_restored.h"
#include "server/core/step/step.h"

enum fault {
	F_NONE,
	F_SILENT,    /* done, but nobody hears of it */
	F_LOST,      /* not done, and nobody hears of that */
	F_HANG,      /* stays under way */
	F_RETRYABLE, /* not done, and said so */
	F_REJECTED,
	F_AUTH,
	F_PERMANENT
};

static struct {
	struct {
		char name[80];
		char value[2][160]; /* dual_key accepts two */
		char maker[2][33];  /* the attempt that had it made */
	} account[64];
	size_t accounts;
	bool down; /* probes say "unknown", everything else is retryable */
	struct {
		char op[16];
		enum fault fault;
		int times;
	} fault[8];
	size_t faults;
	struct {
		uint64_t number;
		struct value *frame;
	} queue[16];
	size_t queued;
	char log[4096]; /* "set probe test " */
	int logins_failed;
	int logins_refused;   /* of the administrator */
	bool makes;           /* it has create */
	int created;          /* by create */
	char asked[80];       /* name in the last call of a database engine */
	int sets, sets_first; /* calls of set, and those that said "first" */
	char last_request[65536];
} tgt;

static int tgt_send(void *ctx, enum ipc_type type, uint64_t id, const struct value *v)
{
	(void)ctx;
	if (type != IPC_STEP)
		return ERR_OK;
	cr_assert_lt(tgt.queued, ARRAY_LEN(tgt.queue));
	{
		struct value *copy = NULL;
		struct err e;
		size_t n;
		unsigned char *p = value_pack(rig.a, v, &n);

		cr_assert_eq(value_decode(rig.a, p, n, &copy, &e), ERR_OK, "%s", e.msg);
		tgt.queue[tgt.queued].frame = copy;
	}
	tgt.queue[tgt.queued++].number = id;
	return ERR_OK;
}

static void tgt_link(void)
{
	const struct step_link l = { .send = tgt_send };

	step_link_up(rig.core, &l);
}

UNUSED static void tgt_account(const char *name, const char *value)
{
	cr_assert_lt(tgt.accounts, ARRAY_LEN(tgt.account));
	snprintf(tgt.account[tgt.accounts].name, sizeof(tgt.account[0].name), "%s", name);
	snprintf(tgt.account[tgt.accounts++].value[0], 160, "%s", value);
}

/* The next ${times} steps of this kind go wrong. */
UNUSED static void tgt_fault(const char *op, enum fault f, int times)
{
	cr_assert_lt(tgt.faults, ARRAY_LEN(tgt.fault));
	snprintf(tgt.fault[tgt.faults].op, sizeof(tgt.fault[0].op), "%s", op);
	tgt.fault[tgt.faults].fault = f;
	tgt.fault[tgt.faults++].times = times;
}

static enum fault tgt_next_fault(const char *op)
{
	for (size_t i = 0; i < tgt.faults; i++)
		if (strcmp(tgt.fault[i].op, op) == 0 && tgt.fault[i].times > 0) {
			tgt.fault[i].times--;
			return tgt.fault[i].fault;
		}
	return F_NONE;
}

static const char *tgt_text(const struct value *o, const char *key)
{
	return value_cstr_or(rig.a, o, key, "");
}

static int tgt_find(const char *name)
{
	for (size_t i = 0; i < tgt.accounts; i++)
		if (strcmp(tgt.account[i].name, name) == 0)
			return (int)i;
	return -1;
}

static bool tgt_works(const char *name, const char *value)
{
	int i = tgt_find(name);

	return i >= 0 && value[0] != '\0' &&
	       (strcmp(tgt.account[i].value[0], value) == 0 ||
	        strcmp(tgt.account[i].value[1], value) == 0);
}

static const char *tgt_login(const struct value *cred)
{
	const struct value *f = value_get(cred, "fields");

	/* nobody logs in without a password */
	if (tgt.down || f == NULL || tgt_text(f, "password")[0] == '\0')
		return "unknown";
	if (tgt_works(tgt_text(f, "username"), tgt_text(f, "password")))
		return "valid";
	tgt.logins_failed++;
	return "invalid";
}

static void tgt_put(const struct value *cred, bool second)
{
	const struct value *f = value_get(cred, "fields");
	int i = tgt_find(tgt_text(f, "username"));

	cr_assert_geq(i, 0, "no account %s", tgt_text(f, "username"));
	if (second && !tgt_works(tgt_text(f, "username"), tgt_text(f, "password")))
		memcpy(tgt.account[i].value[1], tgt.account[i].value[0], 160);
	snprintf(tgt.account[i].value[0], 160, "%s", tgt_text(f, "password"));
}

/* Who has this value is not told that it is new. */
static void tgt_set(const struct value *rq, bool second)
{
	const struct value *pending = value_get(rq, "pending"),
			   *f = value_get(pending, "fields");

	cr_assert(!value_bool_or(rq, "first", false) ||
	          !tgt_works(tgt_text(f, "username"), tgt_text(f, "password")));
	tgt_put(pending, second);
}

/* Of two accounts the idle one is scrambled, whatever it has. */
static void tgt_drop(const struct value *cred, bool all)
{
	const struct value *f = value_get(cred, "fields");
	int i = tgt_find(tgt_text(f, "username"));

	if (i < 0)
		return;
	for (int v = 0; v < 2; v++)
		if (all || strcmp(tgt.account[i].value[v], tgt_text(f, "password")) == 0)
			tgt.account[i].value[v][0] = '\0';
}

static void tgt_probe(const struct value *rq, struct value *reply)
{
	struct value *probe = value_object(rig.a);
	static const char *const which[] = { "current", "pending", "previous" };

	for (size_t i = 0; i < 3; i++)
		value_set_str(rig.a, probe, which[i], tgt_login(value_get(rq, which[i])));
	value_set(reply, "probe", probe);
}

#define TGT_DESCRIBE                                                                                                      \
	"{\"strategies\":[\"single\",\"dual_user\",\"dual_key\"],\"overlap\":true,"                                       \
	"\"needs_admin\":true,\"config\":[\"host\",\"connection_url\"],\"ops\":[\"describe\",\"probe\",\"set\",\"test\"," \
	"\"retire\",\"revert\",\"login\",\"user_create\",\"user_renew\","                                                 \
	"\"user_revoke\"],\"value\":{\"min\":8,\"max\":99,"                                                               \
	"\"forbid\":\"a\"},\"per_secret\":[\"statements\"]}"

static void tgt_make(const char *name, const char *value)
{
	int i = tgt_find(name);

	if (i < 0)
		i = (int)tgt.accounts++;
	cr_assert_lt(tgt.accounts, ARRAY_LEN(tgt.account));
	memset(&tgt.account[i], 0, sizeof(tgt.account[i]));
	snprintf(tgt.account[i].name, sizeof(tgt.account[i].name), "%s", name);
	snprintf(tgt.account[i].value[0], 160, "%s", value);
}

static void tgt_remove(const char *name)
{
	int i = tgt_find(name);

	if (i >= 0)
		tgt.account[i] = tgt.account[--tgt.accounts];
}

/* What a database engine asks. */
static void tgt_user(const char *op, const struct value *rq)
{
	const struct value *f = value_get(value_get(rq, "pending"), "fields");

	if (strcmp(op, "user_create") == 0)
		tgt_make(tgt_text(f, "username"), tgt_text(f, "password"));
	else if (strcmp(op, "user_revoke") == 0)
		tgt_remove(tgt_text(f, "username"));
}

#define TGT_DESCRIBE_MAKER                                                       \
	"{\"strategies\":[\"dual_key\"],\"overlap\":true,\"ops\":[\"describe\"," \
	"\"create\",\"probe\",\"test\",\"retire\",\"login\"]}"

/* The value that this attempt has had made already, or a new one beside the first. */
static void tgt_create(const struct value *rq, struct value *reply)
{
	const char *attempt = tgt_text(rq, "attempt");
	struct value *fields = value_object(rig.a);
	int i = tgt_find(tgt_text(value_get(rq, "config"), "account")), slot = -1;

	cr_assert_geq(i, 0);
	for (int v = 0; v < 2; v++)
		if (tgt.account[i].value[v][0] != '\0' &&
		    strcmp(tgt.account[i].maker[v], attempt) == 0)
			slot = v;
	if (slot < 0) {
		slot = tgt.account[i].value[0][0] != '\0';
		cr_assert_str_empty(tgt.account[i].value[slot], "a third value");
		snprintf(tgt.account[i].value[slot], 160, "made-%d", ++tgt.created);
		snprintf(tgt.account[i].maker[slot], 33, "%s", attempt);
	}
	value_set_str(rig.a, fields, "username", tgt.account[i].name);
	value_set_str(rig.a, fields, "password",
	              arena_str(rig.a, tgt.account[i].value[slot]));
	value_set(reply, "fields", fields);
}

/* Do it. */
static void tgt_do(const char *op, const struct value *rq, struct value *reply)
{
	bool dual_key = value_is_str(value_get(value_get(rq, "config"), "strategy"),
	                             "dual_key");

	if (strcmp(op, "describe") == 0)
		value_set(reply, "describe",
		          rig_json(tgt.makes ? TGT_DESCRIBE_MAKER : TGT_DESCRIBE));
	else if (strcmp(op, "create") == 0)
		tgt_create(rq, reply);
	else if (strcmp(op, "probe") == 0)
		tgt_probe(rq, reply);
	else if (strcmp(op, "set") == 0)
		tgt_set(rq, dual_key);
	else if (strcmp(op, "revert") == 0)
		tgt_put(value_get(rq, "current"), false);
	else if (strcmp(op, "retire") == 0)
		tgt_drop(value_get(rq, "previous"),
		         value_is_str(value_get(value_get(rq, "config"), "strategy"),
		                      "dual_user"));
	else
		tgt_user(op, rq);
}

static void tgt_answer(uint64_t number, const struct value *reply)
{
	size_t n;
	unsigned char *p = value_pack(rig.a, reply, &n);

	step_reply(rig.core, number, p, n);
}

static struct value *tgt_error(struct value *reply, const char *class)
{
	value_set_str(rig.a, reply, "outcome", "reply");
	value_set_str(rig.a, reply, "status", "error");
	value_set_str(rig.a, reply, "class", class);
	value_set_str(rig.a, reply, "message", "the target says no");
	return reply;
}

/* Who acts must be able to log in, if it is an account here: the administrator, or for
 * its own password the account itself, with the old value or the new one. */
static bool tgt_admits(const char *op, const struct value *rq)
{
	const struct value *admin = value_get(rq, "admin");
	bool own = admin == NULL || admin->type == V_NULL;
	const char *name = own ? "" : tgt_text(admin, "username");

	if (own && strcmp(op, "set") == 0)
		return strcmp(tgt_login(value_get(rq, "current")), "valid") == 0 ||
		       strcmp(tgt_login(value_get(rq, "pending")), "valid") == 0;
	return own || tgt_find(name) < 0 || tgt_works(name, tgt_text(admin, "password"));
}

static void tgt_one(uint64_t number, const struct value *frame)
{
	static const char *const classes[] = { [F_RETRYABLE] = "retryable",
		                               [F_REJECTED] = "rejected_value",
		                               [F_AUTH] = "auth",
		                               [F_PERMANENT] = "permanent" };
	const struct value *rq = value_get(frame, "request");
	const char *op = tgt_text(rq, "op");
	struct value *reply = value_object(rig.a);
	enum fault f = tgt_next_fault(op);

	snprintf(tgt.log + strlen(tgt.log), sizeof(tgt.log) - strlen(tgt.log), "%s ", op);
	snprintf(tgt.asked, sizeof(tgt.asked), "%s",
	         tgt_text(value_get(value_get(rq, "pending"), "fields"), "username"));
	tgt.sets += strcmp(op, "set") == 0;
	tgt.sets_first += value_bool_or(rq, "first", false);
	value_set_bool(rig.a, reply, "started", true);
	if (tgt.down && f == F_NONE && strcmp(op, "probe") != 0)
		f = F_RETRYABLE;
	if (f == F_HANG)
		return;
	if (f == F_NONE && strcmp(op, "probe") != 0 && strcmp(op, "describe") != 0 &&
	    !tgt_admits(op, rq)) {
		f = F_AUTH;
		tgt.logins_refused++;
	}
	if (f == F_NONE || f == F_SILENT)
		tgt_do(op, rq, reply);
	if (f == F_SILENT || f == F_LOST) {
		value_set_str(rig.a, reply, "outcome", "unknown");
		value_set_str(rig.a, reply, "reason", "the rotator was killed");
		tgt_answer(number, reply);
	} else if (f != F_NONE) {
		tgt_answer(number, tgt_error(reply, classes[f]));
	} else if (strcmp(op, "test") == 0 &&
	           strcmp(tgt_login(value_get(rq, "pending")), "valid") != 0) {
		tgt_answer(number, tgt_error(reply, "auth"));
	} else {
		value_set_str(rig.a, reply, "outcome", "reply");
		value_set_str(rig.a, reply, "status", "ok");
		tgt_answer(number, reply);
	}
}

/* What rotate has been handed is done; what follows from it, too. */
static void tgt_run(void)
{
	for (int i = 0; i < 60; i++) {
		size_t n = tgt.queued;

		for (size_t k = 0; k < n; k++)
			tgt_one(tgt.queue[k].number, tgt.queue[k].frame);
		tgt.queued = 0;
		rig_run();
		rig_advance(2);
		rig_run();
	}
}

/* Run until the time at which something is tried again. */
UNUSED static void tgt_later(int64_t ms)
{
	for (int64_t t = 0; t < ms; t += 500) {
		rig_advance(500);
		rig_run();
		tgt_run();
	}
}

/* Core is killed: what it had handed out is lost to it, though the target may have done
 * it. */
UNUSED static void tgt_crash(bool done)
{
	for (size_t k = 0; done && k < tgt.queued; k++) {
		const struct value *rq = value_get(tgt.queue[k].frame, "request");

		tgt_do(tgt_text(rq, "op"), rq, value_object(rig.a));
	}
	tgt.queued = 0;
	rig_reopen();
	tgt_link();
}

static int tgt_mark(struct core *c, void *arg, struct err *e)
{
	struct arena *a = arg;

	return rotation_restored(c, a, e);
}

/* As the first unseal after a restore does. */
UNUSED static int tgt_restored(struct err *e)
{
	int rc = batch_alone(rig.core, tgt_mark, rig.a, e);

	jobs_dirty(rig.core);
	return rc;
}

UNUSED static void tgt_start(void)
{
	memset(&tgt, 0, sizeof(tgt));
	rig.a = arena_new((size_t)512 * 1024 * 1024);
	rig.rotators = rig_json("[{\"name\":\"fake\",\"path\":\"/x\",\"builtin\":false,"
	                        "\"sha256\":null,\"timeout_ms\":20000}]");
	rig_start();
	tgt_link();
}

/* A request whose answer needs the target. */
static int tgt_ask(int method, const char *path, const char *fields)
{
	int before = rig.replies;

	rig_submit(method, path, rig.root, fields);
	for (int i = 0; i < 40 && rig.replies == before; i++) {
		rig_run();
		if (rig.replies == before)
			tgt_run();
	}
	cr_assert_eq(rig.replies, before + 1, "%s was not answered", path);
	return rig.status;
}
#define TGT(status_, ...)                                                          \
	do {                                                                       \
		int got_ = tgt_ask(__VA_ARGS__);                                   \
		cr_assert_eq(got_, (status_), "status %d, %s", got_, rig_got("")); \
	} while (0)

#endif
