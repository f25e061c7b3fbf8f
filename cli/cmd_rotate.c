/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_rotate - make a rotation, watch it, and decide about one that is held. */
#include "cmd_rotate.h"
#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "duration.h"
#include "out.h"

#define PATH_CAP    4096
#define POLL_MS     200 /* between two looks at an attempt, growing … */
#define POLL_MAX_MS 2000
#define MAX_MS      (24l * 3600 * 1000) /* no attempt waits longer for its holders */
#define TARGET_MS   60000               /* what the server adds for a target */
#define SLACK_MS    15000
#define REASON      110 /* characters of a reason that is part of a sentence */

const char *rotate_text(const json_t *v, const char *name)
{
	const char *s = json_string_value(json_object_get(v, name));

	return s != NULL ? s : "";
}

long long rotate_int(const json_t *v, const char *name)
{
	return (long long)json_integer_value(json_object_get(v, name));
}

static bool is_state(const json_t *attempt, const char *state)
{
	return strcmp(rotate_text(attempt, "state"), state) == 0;
}

/* ---- what a state means ---- */

static bool has_state(const json_t *holder, const char *state)
{
	return strcmp(rotate_text(holder, "state"), state) == 0;
}

static int late_error(const json_t *data, struct err *e)
{
	char names[140] = "";
	size_t i, n = 0;
	json_t *h;

	json_array_foreach(json_object_get(data, "holders"), i, h)
	{
		if (!json_is_true(json_object_get(h, "late")))
			continue;
		if (n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s%s",
			                      n > 0 ? ", " : ": ", rotate_text(h, "host"),
			                      has_state(h, "rejected") ? " (rejected it)"
			                                               : "");
	}
	return err_set(e, ERR_LATE,
	               "%lld of %lld holders have not applied the new version%s",
	               rotate_int(data, "holders_waiting"),
	               rotate_int(data, "holders_total"), names);
}

/* What each end calls for; "%s" is the reason that the server gives. */
/* clang-format off */
static const struct {
	const char *state;
	enum errcode code;
	const char *text;
} ends[] = {
	{ "held",        ERR_HELD,
	  "held: %s; decide: 'vaultctl rotation resume' (try again), 'abort' (take back) or "
	  "'adopt' (set a fresh value)" },
	{ "failed",      ERR_NOT_ROTATED,
	  "failed: %s; the old value is valid: remove the cause and rotate again" },
	{ "reverted",    ERR_NOT_ROTATED,
	  "reverted: %s; the old value is the current one again" },
	{ "aborted",     ERR_NOT_ROTATED,
	  "aborted: %s; rotate again when that is settled" },
	{ "retire-late", ERR_RETIRE_LATE,
	  "the new value is in use, but the old one could not be revoked: %s; it is tried again "
	  "until it is" },
};
/* clang-format on */

int rotate_verdict(const json_t *attempt, struct err *e)
{
	const char *reason = rotate_text(attempt, "error");
	char why[REASON + 4];

	snprintf(why, sizeof(why), "%.*s%s", REASON, reason[0] != '\0' ? reason : "?",
	         strlen(reason) > REASON ? "…" : "");
	if (is_state(attempt, "late"))
		return late_error(attempt, e);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char text[ERR_MSG_MAX];
		const char *at = strstr(ends[i].text, "%s");

		if (!is_state(attempt, ends[i].state))
			continue;
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - ends[i].text),
		         ends[i].text, why, at + 2);
		return err_set(e, ends[i].code, "%s", text);
	}
	return ERR_OK;
}

static void print_holders(const json_t *data)
{
	/* clang-format off */
	static const struct column columns[] = {
		{ "HOST",     "host" },
		{ "VERSION",  "version" },
		{ "STATE",    "state" },
		{ "AFTER MS", "applied_ms" },
		{ "LATE",     "late" },
		{ "DETAIL",   "detail" },
	};
	/* clang-format on */
	const json_t *readers = json_object_get(data, "untracked_readers");
	const json_t *holders = json_object_get(data, "holders");
	char cell[512];

	if (json_array_size(holders) > 0)
		out_table(holders, columns, ARRAY_LEN(columns));
	else if (rotate_int(data, "holders_total") == 0)
		puts("No host holds this secret.");
	if (json_array_size(readers) > 0)
		printf("Read through the plain API, not tracked: %s\n",
		       out_scalar(readers, cell, sizeof(cell)));
}

static bool is_check(const json_t *data)
{
	return strcmp(rotate_text(data, "cause"), "check") == 0;
}

static void print_attempt(const json_t *data)
{
	char path[512], account[256];

	out_scalar(json_object_get(data, "path"), path, sizeof(path));
	if (is_check(data)) {
		if (is_state(data, "converged"))
			printf("%s: version %lld works at its target\n", path,
			       rotate_int(data, "version"));
		return;
	}
	printf("%s: version %lld, %s after %lld ms\n", path, rotate_int(data, "version"),
	       rotate_text(data, "state"), rotate_int(data, "took_ms"));
	if (rotate_text(data, "account")[0] != '\0')
		printf("Account: %s\n", out_scalar(json_object_get(data, "account"),
		                                   account, sizeof(account)));
	print_holders(data);
}

/* What is printed at the end, and the exit status. ${waited}: it was to be waited for. */
static int verdict(struct cli *c, const json_t *doc, bool waited, struct err *e)
{
	const json_t *data = json_object_get(doc, "data");
	int rc = rotate_verdict(data, e);

	if (c->format == CLI_JSON)
		out_json(c, doc);
	else
		print_attempt(data);
	if (rc == ERR_OK && waited && !json_is_true(json_object_get(data, "settled")))
		return err_set(e, ERR_TIMEOUT,
		               "still %.20s%s%.110s; it goes on: 'vaultctl rotation "
		               "status' shows how it ends",
		               rotate_text(data, "state"),
		               rotate_text(data, "error")[0] != '\0' ? ": " : "",
		               rotate_text(data, "error"));
	if (rc == ERR_OK && c->format == CLI_TABLE && is_state(data, "retiring"))
		say("Every host has the new value; the old one is revoked after its "
		    "grace.");
	return rc;
}

/* ---- watching ---- */

/* Those who have its files and wait for their gate, and those who went back. */
static void progress_states(const json_t *data)
{
	size_t i, delivered = 0;
	json_t *h;

	json_array_foreach(json_object_get(data, "holders"), i, h)
		delivered += has_state(h, "delivered");
	if (delivered > 0)
		fprintf(stderr, ", delivered to %zu more", delivered);
	if (rotate_int(data, "holders_rejected") > 0)
		fprintf(stderr, ", rejected by %lld",
		        rotate_int(data, "holders_rejected"));
}

static void progress(const json_t *data)
{
	char account[80], why[100], when[CLOCK_RFC3339_MAX];

	fprintf(stderr, "\r\033[K%s", rotate_text(data, "state"));
	if (rotate_text(data, "account")[0] != '\0')
		fprintf(stderr, " (%.60s)",
		        out_scalar(json_object_get(data, "account"), account,
		                   sizeof(account)));
	if (rotate_int(data, "holders_total") > 0)
		fprintf(stderr, ": version %lld on %lld of %lld hosts",
		        rotate_int(data, "version"), rotate_int(data, "holders_applied"),
		        rotate_int(data, "holders_total"));
	progress_states(data);
	if (rotate_text(data, "error")[0] != '\0')
		fprintf(stderr, ", try %lld: %.80s", rotate_int(data, "tries"),
		        out_scalar(json_object_get(data, "error"), why, sizeof(why)));
	if (rotate_int(data, "left_alone_until_ms") > 0) {
		clock_rfc3339(rotate_int(data, "left_alone_until_ms"), when);
		fprintf(stderr, "; the target is left alone until %s", when);
	}
	fflush(stderr);
}

static void sleep_ms(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* On a terminal: start, then look at the attempt until nothing more is to be seen. */
static int follow(struct cli *c, const char *path, json_t *body, json_t **doc,
                  struct err *e)
{
	char attempt[PATH_CAP];
	long pause = POLL_MS, waited = 0, limit;
	json_t *data;
	int rc;

	json_object_set_new(body, "wait", json_false());
	if ((rc = cli_call(c, "POST", path, body, doc, e)) != ERR_OK)
		return rc;
	data = json_object_get(*doc, "data");
	limit = (long)(rotate_int(data, "deadline_ms") - rotate_int(data, "started_ms")) +
	        TARGET_MS;
	rc = cli_path("sys/rotation/attempts/", rotate_text(data, "attempt_id"), attempt,
	              sizeof(attempt), e);
	while (rc == ERR_OK) {
		data = json_object_get(*doc, "data");
		progress(data);
		if (json_is_true(json_object_get(data, "settled")) || waited > limit)
			break;
		sleep_ms(pause);
		waited += pause;
		pause = pause * 5 / 4 < POLL_MAX_MS ? pause * 5 / 4 : POLL_MAX_MS;
		json_decref(*doc);
		rc = cli_call(c, "GET", attempt, NULL, doc, e);
	}
	fputs("\r\033[K", stderr);
	return rc;
}

/* How long the server may take; -1 and ${e}: the flag is wrong. */
static long patience(struct cli *c, struct err *e)
{
	const char *v = cli_flag(c, "timeout");
	int64_t ms = 0;

	if (v == NULL)
		return MAX_MS + TARGET_MS + SLACK_MS;
	if (duration_parse(v, strlen(v), &ms, e) == ERR_OK && ms > 0 && ms <= MAX_MS)
		return (long)ms + TARGET_MS + SLACK_MS;
	err_set(e, ERR_USAGE, "--timeout: '%.40s' is no duration such as 60s", v);
	return -1;
}

static int dry_run(struct cli *c, const char *path, json_t *body, struct err *e)
{
	static const char *const keys[] = { "path",    "strategy",      "target",
		                            "account", "version",       "field",
		                            "length",  "holders_total", "holders_more",
		                            "timeout", "policy",        "grace",
		                            NULL };
	json_t *doc = NULL;
	int rc;

	json_object_set_new(body, "dry_run", json_true());
	rc = cli_call(c, "POST", path, body, &doc, e);
	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		out_pairs(json_object_get(doc, "data"), keys);
	json_decref(doc);
	return rc;
}

static int begin(struct cli *c, const char *prefix, json_t *body, struct err *e)
{
	bool wait = cli_flag(c, "no-wait") == NULL;
	char path[PATH_CAP];
	json_t *doc = NULL;
	long ms = patience(c, e);
	int rc;

	if (ms < 0)
		return (int)e->code;
	if (!wait && cli_flag(c, "wait") != NULL)
		return err_set(e, ERR_USAGE, "--wait or --no-wait, not both");
	if ((rc = cli_path(prefix, c->arg[0], path, sizeof(path), e)) != ERR_OK)
		return rc;
	if (cli_flag(c, "dry-run") != NULL)
		return dry_run(c, path, body, e);
	if (cli_flag(c, "timeout") != NULL)
		json_object_set_new(body, "timeout", json_string(cli_flag(c, "timeout")));
	json_object_set_new(body, "wait", json_boolean(wait));
	if (wait && c->err_tty && c->format == CLI_TABLE)
		rc = follow(c, path, body, &doc, e);
	else
		rc = cli_call_timeout(c, "POST", path, body, ms, &doc, e);
	if (rc == ERR_OK)
		rc = verdict(c, doc, wait, e);
	json_decref(doc);
	return rc;
}

static int rotate(struct cli *c, struct err *e)
{
	json_t *body = json_object();
	int rc;

	if (cli_flag(c, "leaked") != NULL)
		json_object_set_new(body, "leaked", json_true());
	rc = begin(c, "sys/rotation/rotate/", body, e);
	json_decref(body);
	return rc;
}

static int check(struct cli *c, struct err *e)
{
	json_t *body = json_object();
	int rc = begin(c, "sys/rotation/check/", body, e);

	json_decref(body);
	return rc;
}

/* ---- deciding ---- */

static int decide(struct cli *c, const char *prefix, json_t *body, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL;
	int rc = cli_path(prefix, c->arg[0], path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call(c, "POST", path, body, &doc, e);
	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		printf("The rotation is %s now.\n",
		       rotate_text(json_object_get(doc, "data"), "state"));
	json_decref(doc);
	return rc;
}

static int resume(struct cli *c, struct err *e)
{
	return decide(c, "sys/rotation/resume/", NULL, e);
}

static int adopt(struct cli *c, struct err *e)
{
	return decide(c, "sys/rotation/adopt/", NULL, e);
}

static int abort_it(struct cli *c, struct err *e)
{
	json_t *body = json_object();
	int rc = ERR_OK;

	if (cli_flag(c, "forget") != NULL) {
		rc = cli_confirm(c,
		                 "End it although it is not known what the target has?",
		                 cli_flag(c, "yes") != NULL, e);
		json_object_set_new(body, "forget", json_true());
	}
	if (rc == ERR_OK)
		rc = decide(c, "sys/rotation/abort/", body, e);
	json_decref(body);
	return rc;
}

/* clang-format off */
static const struct flag rotate_flags[] = {
	{ "timeout", FLAG_STRING, "DURATION", "how long hosts may take (the rule's; 60s)" },
	{ "wait",    FLAG_BOOL,   NULL, "until every host has the new value (the default)" },
	{ "no-wait", FLAG_BOOL,   NULL, "return as soon as it has begun" },
	{ "leaked",  FLAG_BOOL,   NULL, "others know the value: short deadline, no grace" },
	{ "dry-run", FLAG_BOOL,   NULL, "say what would be done, and do nothing" },
	{ 0 },
};
static const struct flag check_flags[] = {
	{ "timeout", FLAG_STRING, "DURATION", "how long to try" },
	{ "no-wait", FLAG_BOOL,   NULL, "return as soon as it has begun" },
	{ 0 },
};
static const struct flag abort_flags[] = {
	{ "forget", FLAG_BOOL, NULL, "end it without a word to the target" },
	{ "yes",    FLAG_BOOL, NULL, "do not ask" },
	{ 0 },
};
static const char rotate_details[] =
	"On a terminal the state is shown while it changes.  Exit status:\n"
	"   0  every lease holder has applied the new version\n"
	"  20  it still goes on: 'vaultctl rotation status PATH'\n"
	"  21  some hosts are late (they are named); policy 'wait' keeps the old value valid\n"
	"  25  held: decide by 'vaultctl rotation resume', 'abort' or 'adopt'\n"
	"  26  failed, reverted or aborted: the old value is the valid one\n"
	"  27  the new value is in use, the old one could not be revoked yet; it is tried again\n"
	"Readers through the plain API are listed, not waited for.";
static const char abort_details[] =
	"Before the target was asked it just ends.  Once the target may have the new value, that\n"
	"is taken back there first.  --forget ends it whatever the target has: then\n"
	"'vaultctl rotation check PATH' tells whether the stored value works.";
static const char adopt_details[] =
	"For a rotation that is held because neither value works: a fresh one is made and set by\n"
	"the administrator of the target, then published like any other.";

static const struct command rows[] = {
	{ "rotate",   NULL,     rotate,   1, 1, rotate_flags, "PATH",
	  "make a new value and wait until every host has it", rotate_details },
	{ "rotation", "check",  check,    1, 1, check_flags,  "PATH",
	  "ask the target whether the stored value works", NULL },
	{ "rotation", "resume", resume,   1, 1, NULL,         "PATH",
	  "try a held rotation again where it stopped", NULL },
	{ "rotation", "abort",  abort_it, 1, 1, abort_flags,  "PATH",
	  "take a rotation back", abort_details },
	{ "rotation", "adopt",  adopt,    1, 1, NULL,         "PATH",
	  "have the target's administrator set a fresh value", adopt_details },
};
/* clang-format on */

const struct command_set commands_rotate = { rows, ARRAY_LEN(rows) };
