/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_rotation - rules of rotation: how and when secrets are replaced, and what came of
 * it. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "cmd_rotate.h"
#include "fields.h"
#include "out.h"

#define PATH_CAP 4096

/* ---- setting ---- */

/* The server takes dates as a list only. */
static json_t *parts_of(const char *text)
{
	json_t *list = json_array();

	while (*text != '\0') {
		size_t n = strcspn(text, ",");

		if (n > 0)
			json_array_append_new(list, json_stringn(text, n));
		text += n + (text[n] == ',');
	}
	return list;
}

static int set(struct cli *c, struct err *e)
{
	json_t *body = call_body(c, "{config}"), *config = json_object();
	const char *v;
	int rc = ERR_OK;

	if ((v = cli_flag(c, "blackout")) != NULL)
		json_object_set_new(body, "blackout", parts_of(v));
	if ((v = cli_flag(c, "config")) != NULL &&
	    (rc = fields_document(v, &config, e)) == ERR_OK)
		json_object_set(body, "config", config);
	if (rc == ERR_OK && json_object_size(body) == 0)
		rc = err_set(e, ERR_USAGE,
		             "nothing to set: see 'vaultctl help rotation set'");
	if (rc == ERR_OK)
		rc = call_run(c, "POST", "sys/rotation/config/{1}", body, PRINT_NONE, e);
	json_decref(body);
	json_decref(config);
	return rc;
}

static int simple(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct call_row calls[] = {
		{ "show",    "GET",    "sys/rotation/config/{1}",  PRINT_DATA, false, NULL },
		{ "unset",   "DELETE", "sys/rotation/config/{1}",  PRINT_NONE, false, NULL },
		{ "pause",   "POST",   "sys/rotation/pause/{1}",   PRINT_NONE, false, NULL },
		{ "unpause", "POST",   "sys/rotation/unpause/{1}", PRINT_NONE, false, NULL },
	};
	/* clang-format on */

	return call_table(c, calls, ARRAY_LEN(calls), e);
}

/* ---- looking ---- */

static int list(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct column columns[] = {
		{ "PATH",         "path" },
		{ "STRATEGY",     "strategy" },
		{ "TARGET",       "target" },
		{ "LAST ROTATED", "last_rotated" },
		{ "NEXT",         "next" },
		{ "PAUSED",       "paused" },
		{ "DUE SINCE",    "due_since" },
		{ "PROBLEM",      "problem" },
	};
	/* clang-format on */
	json_t *doc = NULL, *rows;
	int rc = cli_call(c, "LIST", "sys/rotation/config", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK) {
		rows = out_rows(doc, "path");
		out_table(rows, columns, ARRAY_LEN(columns));
		json_decref(rows);
	}
	json_decref(doc);
	return rc;
}

/* The attempt with its moments as people read them; the caller's. */
static json_t *readable(json_t *attempt)
{
	static const struct {
		const char *from, *to;
	} moments[] = {
		{"started_ms",           "started"                },
		{ "deadline_ms",         "deadline"               },
		{ "next_ms",             "next_step"              },
		{ "left_alone_until_ms", "target_left_alone_until"}
	};
	json_t *out = json_object(), *v;
	const char *key;

	json_object_foreach(attempt, key, v)
	{
		char when[CLOCK_RFC3339_MAX];
		size_t i = 0;

		while (i < ARRAY_LEN(moments) && strcmp(key, moments[i].from) != 0)
			i++;
		if (i == ARRAY_LEN(moments)) {
			json_object_set(out, key, v);
		} else if (json_integer_value(v) == 0) {
			json_object_set_new(out, moments[i].to, json_null());
		} else {
			clock_rfc3339(json_integer_value(v), when);
			json_object_set_new(out, moments[i].to, json_string(when));
		}
	}
	return out;
}

static int status(struct cli *c, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL, *data, *last, *shown;
	struct err why;
	int rc = cli_path("sys/rotation/status/", c->arg[0], path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call(c, "GET", path, NULL, &doc, e);
	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK) {
		data = json_object_get(doc, "data");
		last = json_incref(json_object_get(data, "last"));
		json_object_del(data, "last");
		out_pairs(data, NULL);
		if (last != NULL) {
			puts("\nThe last rotation:");
			shown = readable(last);
			out_pairs(shown, NULL);
			json_decref(shown);
			if (rotate_verdict(last, &why) != ERR_OK)
				say("%s", why.msg);
		}
		json_decref(last);
	}
	json_decref(doc);
	return rc;
}

/* What the table shows in other words than the API. */
static void dress(json_t *attempt)
{
	char text[64], when[CLOCK_RFC3339_MAX];

	clock_rfc3339(rotate_int(attempt, "started_ms"), when);
	json_object_set_new(attempt, "started", json_string(when));

	snprintf(text, sizeof(text), "%lld of %lld",
	         rotate_int(attempt, "holders_applied"),
	         rotate_int(attempt, "holders_total"));
	json_object_set_new(attempt, "hosts", json_string(text));
}

static int history(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct column columns[] = {
		{ "STARTED",  "started" },
		{ "CAUSE",    "cause" },
		{ "STRATEGY", "strategy" },
		{ "VERSION",  "version" },
		{ "STATE",    "state" },
		{ "HOSTS",    "hosts" },
		{ "TOOK MS",  "took_ms" },
		{ "ERROR",    "error" },
	};
	/* clang-format on */
	char path[PATH_CAP];
	json_t *doc = NULL, *list, *v;
	size_t i;
	int rc = cli_path("sys/rotation/history/", c->arg[0], path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call(c, "GET", path, NULL, &doc, e);
	list = json_object_get(json_object_get(doc, "data"), "attempts");
	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK && json_array_size(list) == 0) {
		puts("It was never rotated.");
	} else if (rc == ERR_OK) {
		json_array_foreach(list, i, v) dress(v);
		out_table(list, columns, ARRAY_LEN(columns));
	}
	json_decref(doc);
	return rc;
}

static int next(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct column columns[] = {
		{ "SLOT",        "local" },
		{ "WILL RUN AT", "local_moment" },
		{ "UTC",         "moment" },
		{ "WINDOW ENDS", "window_end" },
	};
	/* clang-format on */
	const char *count = cli_flag(c, "count");
	char path[PATH_CAP];
	json_t *doc = NULL, *data;
	int rc = cli_path("sys/rotation/next/", c->arg[0], path, sizeof(path) - 32, e);

	if (rc != ERR_OK)
		return rc;
	if (count != NULL && (count[0] == '\0' || strlen(count) > 4 ||
	                      strspn(count, "0123456789") != strlen(count)))
		return err_set(e, ERR_USAGE, "--count: '%.20s' is no number", count);
	if (count != NULL)
		snprintf(path + strlen(path), 32, "?count=%s", count);
	rc = cli_call(c, "GET", path, NULL, &doc, e);
	data = json_object_get(doc, "data");
	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK) {
		if (json_is_true(json_object_get(data, "paused")))
			say("Paused: nothing runs until 'vaultctl rotation unpause'.");
		out_table(json_object_get(data, "slots"), columns, ARRAY_LEN(columns));
	}
	json_decref(doc);
	return rc;
}

/* clang-format off */
static const struct flag set_flags[] = {
	{ "field",          FLAG_STRING, "NAME", "the field that is made anew; the others are copied" },
	{ "length",         FLAG_STRING, "N", "characters of the new value (32)" },
	{ "alphabet",       FLAG_STRING, "CHARS", "characters to choose from" },
	{ "classes",        FLAG_STRING, "A,B", "of lower,upper,digit,symbol: at least one of each" },
	{ "cron",           FLAG_STRING, "'M H D M W'", "rotate by itself at these times" },
	{ "every",          FLAG_STRING, "DURATION", "rotate by itself, such as 30d; 0 ends that" },
	{ "after",          FLAG_STRING, "DURATION", "rotate by itself when the value is so old" },
	{ "tz",             FLAG_STRING, "ZONE", "time zone of the schedule, such as Europe/Berlin (UTC)" },
	{ "window",         FLAG_STRING, "DURATION", "how long after its time a rotation may begin" },
	{ "jitter",         FLAG_STRING, "auto|none|DURATION", "spread of the scheduled moment" },
	{ "blackout",       FLAG_STRING, "DATE/DATE,…", "no rotations then: 2026-12-20/2027-01-03" },
	{ "max-age",        FLAG_STRING, "DURATION", "an older value is an alarm, and replaced out of turn" },
	{ "min-interval",   FLAG_STRING, "DURATION", "least time between two scheduled rotations" },
	{ "missed",         FLAG_STRING, "next|run|skip", "what becomes of a slot that was missed" },
	{ "anchor",         FLAG_STRING, "TIME", "where counting begins (RFC 3339)" },
	{ "timeout",        FLAG_STRING, "DURATION", "how long hosts may take before they are late" },
	{ "strategy",       FLAG_STRING, "NAME",
	  "generate, single, dual_user, dual_key, verify_then_sign, reissue, manual" },
	{ "remind",         FLAG_BOOL,   NULL, "people replace it: tell them when it is due (strategy manual)" },
	{ "target",         FLAG_STRING, "NAME", "that has the value too: see 'vaultctl target'" },
	{ "accounts",       FLAG_STRING, "A,B", "at the target: one, or two that take turns" },
	{ "username-field", FLAG_STRING, "NAME", "field with the account's name (username)" },
	{ "config",         FLAG_STRING, "FILE|-", "JSON object for the rotator, beside the target's" },
	{ "policy",         FLAG_STRING, "wait|proceed|revert", "when hosts are late" },
	{ "grace",          FLAG_STRING, "DURATION", "how long the old value lives when all have the new one" },
	{ 0 },
};
static const char set_details[] =
	"What is not named stays as it is.  cron, every and after replace each other.\n"
	"\n"
	"  vaultctl rotation set secret/app/db --field password --every 30d\n"
	"  vaultctl rotation set secret/app/db --strategy dual_user --target pg --accounts app_a,app_b \\\n"
	"      --cron '0 3 * * 1-5' --tz Europe/Berlin --window 2h --grace 1h";
static const struct flag next_flags[] = {
	{ "count", FLAG_STRING, "N", "how many (5)" },
	{ 0 },
};

static const struct command rows[] = {
	{ "rotation", "set",     set,     1, 1, set_flags,  "PATH", "rule and schedule of a secret", set_details },
	{ "rotation", "show",    simple,  1, 1, NULL,       "PATH", "rule and schedule of a secret", NULL },
	{ "rotation", "unset",   simple,  1, 1, NULL,       "PATH", "forget rule and schedule", NULL },
	{ "rotation", "list",    list,    0, 0, NULL,       "",     "secrets that have a rule", NULL },
	{ "rotation", "status",  status,  1, 1, NULL,       "PATH", "rule and last rotation of a secret", NULL },
	{ "rotation", "history", history, 1, 1, NULL,       "PATH", "the last rotations of a secret", NULL },
	{ "rotation", "next",    next,    1, 1, next_flags, "PATH", "when it will rotate by itself", NULL },
	{ "rotation", "pause",   simple,  1, 1, NULL,       "PATH", "no scheduled rotations for now", NULL },
	{ "rotation", "unpause", simple,  1, 1, NULL,       "PATH", "scheduled rotations again", NULL },
};
/* clang-format on */

const struct command_set commands_rotation = { rows, ARRAY_LEN(rows) };
