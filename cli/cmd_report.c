/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_report - how old the secrets are. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "cmd_rotate.h"
#include "out.h"

#define PATH_CAP 8192

static int add_query(struct cli *c, const char *flag, char path[PATH_CAP], struct err *e)
{
	const char *v = cli_flag(c, flag);
	size_t n = strlen(path);
	char prefix[32];

	if (v == NULL)
		return ERR_OK;
	snprintf(prefix, sizeof(prefix), "%c%s=", strchr(path, '?') != NULL ? '&' : '?',
	         flag);
	return cli_path(prefix, v, path + n, PATH_CAP - n, e);
}

static void age_text(long long s, char out[32])
{
	if (s >= 2 * 86400)
		snprintf(out, 32, "%lldd", s / 86400);
	else if (s >= 2 * 3600)
		snprintf(out, 32, "%lldh", s / 3600);
	else
		snprintf(out, 32, "%llds", s);
}

/* What the table shows in other words than the API. */
static void dress(json_t *row)
{
	char age[32];

	age_text(rotate_int(row, "age"), age);
	json_object_set_new(row, "age", json_string(age));
	if (!json_is_true(json_object_get(row, "rule")))
		json_object_set_new(row, "strategy", json_string("no rule"));
	json_object_set_new(row, "overdue",
	                    json_string(json_is_true(json_object_get(row, "overdue"))
	                                        ? "OVERDUE"
	                                        : ""));
}

static void print_table(const json_t *data)
{
	/* clang-format off */
	static const struct column columns[] = {
		{ "PATH",         "path" },
		{ "AGE",          "age" },
		{ "VERSION",      "version" },
		{ "RULE",         "strategy" },
		{ "LAST ROTATED", "last_rotated" },
		{ "NEXT",         "next" },
		{ "OVERDUE",      "overdue" },
		{ "PROBLEM",      "problem" },
	};
	/* clang-format on */
	json_t *list = json_object_get(data, "secrets"), *row;
	size_t i;

	json_array_foreach(list, i, row) dress(row);
	out_table(list, columns, ARRAY_LEN(columns));
	if (json_is_true(json_object_get(data, "more")))
		say("%zu of %lld are shown, the oldest: --limit shows more.",
		    json_array_size(list), rotate_int(data, "matched"));
}

static int age(struct cli *c, struct err *e)
{
	char path[PATH_CAP] = "sys/rotation/report/age";
	json_t *doc = NULL;
	int rc;

	if ((rc = add_query(c, "over", path, e)) != ERR_OK ||
	    (rc = add_query(c, "prefix", path, e)) != ERR_OK ||
	    (rc = add_query(c, "limit", path, e)) != ERR_OK)
		return rc;
	rc = cli_call_timeout(c, "GET", path, NULL, 600000, &doc, e);
	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		print_table(json_object_get(doc, "data"));
	json_decref(doc);
	return rc;
}

/* clang-format off */
static const struct flag age_flags[] = {
	{ "over",   FLAG_STRING, "DURATION", "only values that are older, such as 90d" },
	{ "prefix", FLAG_STRING, "PATH", "only secrets whose path begins so" },
	{ "limit",  FLAG_STRING, "N", "at most so many, the oldest (1000)" },
	{ 0 },
};
static const struct command rows[] = {
	{ "report", "age", age, 0, 0, age_flags, "", "how old the secrets are that you may see, oldest first",
	  "OVERDUE: older than the rule's max_age, or replaced by people and due." },
};
/* clang-format on */

const struct command_set commands_report = { rows, ARRAY_LEN(rows) };
