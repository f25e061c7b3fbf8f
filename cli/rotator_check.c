/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "rotator_kit.h"

#define GARBAGE_BIG    (300u * 1024)
#define SHORT_DEADLINE 700 /* ms */

/* --- describe --- */

static bool lists(const json_t *list, const char *what)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i,
	                   v) if (json_is_string(v) &&
	                          strcmp(json_string_value(v), what) == 0) return true;
	return false;
}

static const char *what_describe_lacks(const struct kit *k)
{
	static const char *const names[] = { "single", "dual_user", "dual_key",
		                             "reissue" };
	const json_t *d = k->describe, *value = json_object_get(d, "value"),
		     *min = json_object_get(value, "min"),
		     *max = json_object_get(value, "max"),
		     *forbid = json_object_get(value, "forbid");

	if (!lists(json_object_get(d, "strategies"), names[k->strategy]))
		return "the strategy of the file is not among 'strategies'";
	if (!json_is_boolean(json_object_get(d, "overlap")))
		return "'overlap' is neither true nor false";
	if (!json_is_boolean(json_object_get(d, "needs_admin")))
		return "'needs_admin' is neither true nor false";
	if (json_is_true(json_object_get(d, "needs_admin")) && k->admin == NULL)
		return "it needs an 'admin', and the file has none";
	if (!kit_has_op(k, "probe") || !kit_has_op(k, "test"))
		return "'ops' lacks probe or test, which every rotator has";
	if (!kit_has_op(k, kit_creates(k) ? "create" : "set"))
		return "'ops' lacks set, or create, whichever the strategy needs";
	if (k->strategy != KIT_SINGLE && k->strategy != KIT_REISSUE &&
	    !kit_has_op(k, "retire"))
		return "'ops' lacks retire, which a strategy with overlap needs";
	if (value != NULL && (!json_is_integer(min) || !json_is_integer(max) ||
	                      json_integer_value(min) > json_integer_value(max) ||
	                      !json_is_string(forbid)))
		return "'value' is no object of min, max and forbid";
	return NULL;
}

/* False if there is no use in going on. */
static bool check_describe(struct kit *k, struct err *e)
{
	struct kit_call call = { .op = "describe", .bare = true };
	struct kit_answer first, second;
	const char *lack = NULL;
	bool good;

	if (kit_run(k, &call, &first, e) != ERR_OK)
		return false;
	k->describe = json_incref(json_object_get(first.reply, "describe"));
	good = kit_that(k, "describe answers", first.ok && json_is_object(k->describe),
	                "%s", kit_saw(&first));
	if (good) {
		lack = what_describe_lacks(k);
		good = kit_that(k, "describe is complete", lack == NULL, "%s",
		                lack != NULL ? lack : "");
	}
	if (kit_run(k, &call, &second, e) == ERR_OK) {
		kit_that(k, "describe says the same twice",
		         json_equal(json_object_get(second.reply, "describe"),
		                    k->describe),
		         "the second answer differs");
		kit_answer_clear(&second);
	}
	kit_answer_clear(&first);
	return good;
}

/* --- input --- */

#define HEAD "{\"v\":1,\"attempt\":\"0123456789abcdef0123456789abcdef\",\"op\":"

static const char no_such_op[] = HEAD "\"no_such_op\"}";
static const char wrong_types[] = HEAD
	"\"set\",\"config\":[],\"current\":7,\"pending\":\"x\"}";
static const char nothing_made[] = HEAD
	"\"create\",\"config\":{},\"current\":null,\"pending\":null,\"previous\":null}";
static const char nothing_given[] = HEAD
	"\"set\",\"config\":{},\"current\":null,\"pending\":null,\"previous\":null}";

static int check_garbage(struct kit *k, struct err *e)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"null",
		"\xff\xfe",
		"{\"v\":1}",
		"{\"v\":2,\"op\":\"probe\"}",
		no_such_op,
		wrong_types,
		nothing_given,
		nothing_made,
	};
	struct kit_answer a;
	bool refused = true;
	char *big;
	int rc = ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(texts); i++) {
		if ((rc = kit_raw(k, texts[i], strlen(texts[i]), &a, e)) != ERR_OK)
			return rc;
		if (refused &&
		    (a.ok || a.end == ROTATOR_CRASHED || a.end == ROTATOR_LATE)) {
			kit_fail(k, "refuses what is no request", "request %zu: %s",
			         i + 1, kit_saw(&a));
			refused = false;
		}
		kit_answer_clear(&a);
	}
	if (refused)
		kit_pass(k, "refuses what is no request");
	if ((big = malloc(GARBAGE_BIG)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memset(big, '[', GARBAGE_BIG);
	rc = kit_raw(k, big, GARBAGE_BIG, &a, e);
	free(big);
	if (rc != ERR_OK)
		return rc;
	kit_that(k, "refuses 300 kB of brackets", !a.ok && a.end != ROTATOR_CRASHED, "%s",
	         kit_saw(&a));
	kit_answer_clear(&a);
	return ERR_OK;
}

/* --- truth --- */

static struct kit_account *in_use(struct kit *k)
{
	return &k->account[k->current];
}

static int check_truth(struct kit *k, struct err *e)
{
	struct kit_account *acct = in_use(k);
	char wrong[KIT_VALUE_MAX + 1];
	struct kit_answer a;
	int rc;

	kit_value(k, wrong);
	for (int i = 0; i < 2; i++) {
		struct kit_call call = {
			.op = "probe",
			.current = kit_fields(k, acct, acct->value),
			.pending = kit_fields(k, acct, wrong),
		};

		if ((rc = kit_run(k, &call, &a, e)) != ERR_OK)
			return rc;
		kit_that(k,
		         i == 0 ? "probe: the value in use is valid"
		                : "probe: and still is after a probe",
		         a.current == KIT_VALID, "%s", kit_saw(&a));
		kit_that(k,
		         i == 0 ? "probe: a wrong value is invalid"
		                : "probe: and still is after a probe of it",
		         a.pending == KIT_INVALID, "%s", kit_saw(&a));
		kit_answer_clear(&a);
	}
	struct kit_call test = {
		.op = "test",
		.current = kit_fields(k, acct, acct->value),
		.pending = kit_fields(k, acct, wrong),
	};

	if ((rc = kit_run(k, &test, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, "test: a wrong value does not pass", !a.ok, "%s", kit_saw(&a));
	kit_answer_clear(&a);
	return ERR_OK;
}

/* --- no target --- */

/* A port of this machine that takes connections and never says a word. */
static int mute_socket(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, 16) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &n) == 0) {
		*port = ntohs(at.sin_port);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Members of the configuration that lead nowhere: the file's, or of host and port. */
static json_t *elsewhere(const struct kit *k, const char *key, uint16_t port)
{
	json_t *given = json_object_get(k->file, key);

	if (given != NULL)
		return json_incref(given);
	if (json_object_get(k->config, "host") == NULL)
		return NULL;
	return json_pack("{s:s, s:i}", "host", "127.0.0.1", "port", (int)port);
}

static int away(struct kit *k, const char *op, const json_t *config, int64_t deadline_ms,
                struct kit_answer *a, struct err *e)
{
	struct kit_account *acct = in_use(k), *next = kit_next(k);
	char value[KIT_VALUE_MAX + 1];
	struct kit_call call = { .op = op, .config = config, .deadline_ms = deadline_ms };

	kit_value(k, value);
	if (kit_creates(k)) {
		json_t *wrong = kit_garbled(k, k->holding);

		call.current = kit_made(k, k->holding);
		if (strcmp(op, "create") != 0)
			call.pending = kit_made(k, wrong);
		json_decref(wrong);
	} else {
		call.current = kit_fields(k, acct, acct->value);
		call.pending = kit_fields(k, next, value);
	}
	return kit_run(k, &call, a, e);
}

static bool knows_nothing(const struct kit_answer *a)
{
	return a->end == ROTATOR_NO_REPLY || a->class[0] != '\0' ||
	       (a->current == KIT_UNKNOWN && a->pending == KIT_UNKNOWN);
}

static int check_unreachable(struct kit *k, struct err *e)
{
	bool creates = kit_creates(k);
	json_t *config = elsewhere(k, "unreachable", 1);
	struct kit_answer a;
	int rc;

	if (config == NULL) {
		kit_skip(k, "probe: unknown without the target",
		         "the file has no 'unreachable', and config no 'host'");
		return ERR_OK;
	}
	if ((rc = away(k, "probe", config, 0, &a, e)) == ERR_OK) {
		kit_that(k, "probe: unknown without the target", knows_nothing(&a), "%s",
		         kit_saw(&a));
		kit_answer_clear(&a);
		rc = away(k, creates ? "create" : "set", config, 0, &a, e);
	}
	if (rc == ERR_OK) {
		kit_that(k,
		         creates ? "create: retryable without the target"
		                 : "set: retryable without the target",
		         a.end == ROTATOR_NO_REPLY || strcmp(a.class, "retryable") == 0,
		         "%s", kit_saw(&a));
		kit_answer_clear(&a);
	}
	json_decref(config);
	return rc;
}

static int check_mute(struct kit *k, struct err *e)
{
	static const char check[] = "ends by its deadline when the target says nothing";
	uint16_t port = 0;
	AUTO_CLOSE int fd = mute_socket(&port);
	json_t *config = fd >= 0 ? elsewhere(k, "mute", port) : NULL;
	struct kit_answer a;
	int rc;

	if (config == NULL) {
		kit_skip(k, check, "the file has no 'mute', and config no 'host'");
		return ERR_OK;
	}
	rc = away(k, "probe", config, SHORT_DEADLINE, &a, e);
	if (rc == ERR_OK) {
		kit_that(k, check, a.end != ROTATOR_LATE && knows_nothing(&a), "%s",
		         kit_saw(&a));
		kit_answer_clear(&a);
	}
	json_decref(config);
	return rc;
}

int rotator_away_checks(struct kit *k, struct err *e)
{
	int rc = check_unreachable(k, e);

	return rc == ERR_OK ? check_mute(k, e) : rc;
}

/* --- whose account --- */

static int check_foreign(struct kit *k, struct err *e)
{
	static const char check[] =
		"set: an account that is not configured is left alone";
	struct kit_account other = { .name = "rotator-check-nobody" }, *acct = in_use(k);
	char value[KIT_VALUE_MAX + 1];
	struct kit_answer a;
	int rc;

	kit_value(k, value);
	struct kit_call call = {
		.op = "set",
		.current = kit_fields(k, acct, acct->value),
		.pending = kit_fields(k, &other, value),
	};

	if ((rc = kit_run(k, &call, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, check, !a.ok, "%s", kit_saw(&a));
	kit_answer_clear(&a);
	return ERR_OK;
}

/* --- all --- */

static int set_checks(struct kit *k, struct err *e)
{
	int rc;

	if ((rc = check_truth(k, e)) != ERR_OK ||
	    (rc = rotator_away_checks(k, e)) != ERR_OK ||
	    (rc = check_foreign(k, e)) != ERR_OK)
		return rc;
	/* A rotator that tells wrong values from right ones badly is not let loose. */
	if (k->failed > 0) {
		kit_skip(k, "rotations", "after those failures nothing is changed");
		return ERR_OK;
	}
	rc = rotator_rotate_checks(k, e);
	return rc == ERR_OK ? rotator_engine_checks(k, e) : rc;
}

int rotator_checks(struct kit *k, struct err *e)
{
	bool creates;
	int rc = ERR_OK;

	*e = (struct err){ 0 };
	if (!check_describe(k, e))
		return (int)e->code;
	creates = kit_creates(k);
	if ((!creates && (rc = kit_accounts(k, e)) != ERR_OK) ||
	    (rc = check_garbage(k, e)) != ERR_OK ||
	    (rc = creates ? rotator_create_checks(k, e) : set_checks(k, e)) != ERR_OK)
		return rc;
	kit_that(k, "every reply keeps the contract", k->broken[0] == '\0', "%s",
	         k->broken);
	kit_that(k, "no secret value is told", k->leak[0] == '\0', "%s", k->leak);
	return ERR_OK;
}
