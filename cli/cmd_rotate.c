/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "duration.h"
#include "out.h"

#define PATH_CAP           4096
#define DEFAULT_TIMEOUT_MS 60000
#define POLL_NS            200000000L

static int config_path(struct cli *c, char out[PATH_CAP], struct err *e)
{
	return cli_path("sys/rotation/config/", c->arg[0], out, PATH_CAP, e);
}

static void print_holders(const json_t *data)
{
	static const struct column columns[] = {
		{"HOST",      "host"      },
                { "VERSION",  "version"   },
		{ "STATE",    "state"     },
                { "AFTER MS", "applied_ms"},
		{ "LATE",     "late"      },
	};
	const json_t *readers = json_object_get(data, "untracked_readers");
	const json_t *holders = json_object_get(data, "holders");
	char cell[512];

	if (json_array_size(holders) > 0)
		out_table(holders, columns, ARRAY_LEN(columns));
	else
		puts("No host holds this secret.");
	if (json_array_size(readers) > 0)
		printf("Read through the plain API, not tracked: %s\n",
		       out_scalar(readers, cell, sizeof(cell)));
}

static const char *member(const json_t *data, const char *name)
{
	const char *s = json_string_value(json_object_get(data, name));

	return s != NULL ? s : "";
}

static int late_error(const json_t *data, struct err *e)
{
	char names[160] = "";
	size_t i, n = 0, late = 0;
	json_t *h;

	json_array_foreach(json_object_get(data, "holders"), i, h)
	{
		if (!json_is_true(json_object_get(h, "late")))
			continue;
		late++;
		if (n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s",
			                      n > 0 ? ", " : "", member(h, "host"));
	}
	return err_set(e, ERR_LATE,
	               "%zu of %zu holders have not applied the new version: %s", late,
	               json_array_size(json_object_get(data, "holders")), names);
}

static int verdict(struct cli *c, const json_t *doc, struct err *e)
{
	const json_t *data = json_object_get(doc, "data");
	const char *state = member(data, "state");

	if (c->format == CLI_JSON) {
		out_json(c, doc);
	} else {
		printf("%s: version %lld, %s after %lld ms\n", member(data, "path"),
		       (long long)json_integer_value(json_object_get(data, "version")),
		       state,
		       (long long)json_integer_value(json_object_get(data, "took_ms")));
		print_holders(data);
	}
	return strcmp(state, "late") == 0 ? late_error(data, e) : ERR_OK;
}

static void progress(const json_t *data)
{
	const json_t *holders = json_object_get(data, "holders");
	size_t i, applied = 0;
	json_t *h;

	json_array_foreach(holders, i, h)
		applied += strcmp(member(h, "state"), "applied") == 0 &&
	                   json_integer_value(json_object_get(h, "version")) >=
	                           json_integer_value(json_object_get(data, "version"));
	fprintf(stderr, "\r%zu of %zu hosts have applied version %lld", applied,
	        json_array_size(holders),
	        (long long)json_integer_value(json_object_get(data, "version")));
	fflush(stderr);
}

/* On a terminal: start, then look at the attempt until it has ended. */
static int follow(struct cli *c, const char *path, json_t *body, json_t **doc,
                  struct err *e)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	char attempt[PATH_CAP];
	int rc;

	json_object_set_new(body, "wait", json_false());
	if ((rc = cli_call(c, "POST", path, body, doc, e)) != ERR_OK ||
	    (rc = cli_path("sys/rotation/attempts/",
	                   member(json_object_get(*doc, "data"), "attempt_id"), attempt,
	                   sizeof(attempt), e)) != ERR_OK)
		return rc;
	while (strcmp(member(json_object_get(*doc, "data"), "state"), "converged") != 0 &&
	       strcmp(member(json_object_get(*doc, "data"), "state"), "late") != 0) {
		progress(json_object_get(*doc, "data"));
		nanosleep(&pause, NULL);
		json_decref(*doc);
		if ((rc = cli_call(c, "GET", attempt, NULL, doc, e)) != ERR_OK)
			return rc;
	}
	progress(json_object_get(*doc, "data"));
	fputc('\n', stderr);
	return ERR_OK;
}

static int timeout_of(struct cli *c, int64_t *ms, struct err *e)
{
	const char *v = cli_flag(c, "timeout");

	*ms = DEFAULT_TIMEOUT_MS;
	if (v == NULL)
		return ERR_OK;
	if (duration_parse(v, strlen(v), ms, e) != ERR_OK || *ms <= 0)
		return err_set(e, ERR_USAGE,
		               "--timeout: '%.40s' is no duration such as 60s", v);
	return ERR_OK;
}

static int rotate(struct cli *c, struct err *e)
{
	bool wait = cli_flag(c, "no-wait") == NULL;
	char path[PATH_CAP];
	json_t *body = json_object(), *doc = NULL;
	int64_t ms;
	int rc;

	if ((rc = timeout_of(c, &ms, e)) == ERR_OK &&
	    (rc = cli_path("sys/rotation/rotate/", c->arg[0], path, sizeof(path), e)) ==
	            ERR_OK) {
		if (cli_flag(c, "timeout") != NULL)
			json_object_set_new(body, "timeout",
			                    json_string(cli_flag(c, "timeout")));
		json_object_set_new(body, "wait", json_boolean(wait));
		if (wait && c->err_tty && c->format == CLI_TABLE)
			rc = follow(c, path, body, &doc, e);
		else
			rc = cli_call_timeout(c, "POST", path, body, (long)ms + 15000,
			                      &doc, e);
	}
	if (rc == ERR_OK)
		rc = verdict(c, doc, e);
	json_decref(body);
	json_decref(doc);
	return rc;
}

static int set(struct cli *c, struct err *e)
{
	static const char *const names[] = { "field", "length", "alphabet", "every",
		                             "timeout" };
	json_t *body = json_object(), *doc = NULL;
	char path[PATH_CAP];
	const char *v;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if ((v = cli_flag(c, names[i])) != NULL)
			json_object_set_new(body, names[i], json_string(v));
	if ((v = cli_flag(c, "classes")) != NULL)
		json_object_set_new(body, "classes", json_string(v));
	if (json_object_size(body) == 0)
		rc = err_set(e, ERR_USAGE,
		             "nothing to set: see 'vaultctl help rotation set'");
	else if ((rc = config_path(c, path, e)) == ERR_OK)
		rc = cli_call(c, "POST", path, body, &doc, e);
	json_decref(body);
	json_decref(doc);
	return rc;
}

static int simple(struct cli *c, const char *method, const char *prefix, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL, *data;
	int rc = cli_path(prefix, c->args > 0 ? c->arg[0] : "", path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call(c, method, path, NULL, &doc, e);
	data = json_object_get(doc, "data");
	if (rc == ERR_OK && c->format == CLI_JSON && doc != NULL)
		out_json(c, doc);
	else if (rc == ERR_OK && doc != NULL)
		out_pairs(data, NULL);
	json_decref(doc);
	return rc;
}

static int show(struct cli *c, struct err *e)
{
	return simple(c, "GET", "sys/rotation/config/", e);
}

static int unset(struct cli *c, struct err *e)
{
	return simple(c, "DELETE", "sys/rotation/config/", e);
}

static int status(struct cli *c, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL;
	int rc = cli_path("sys/rotation/status/", c->arg[0], path, sizeof(path), e);

	if (rc == ERR_OK && (rc = cli_call(c, "GET", path, NULL, &doc, e)) == ERR_OK) {
		if (c->format == CLI_JSON)
			out_json(c, doc);
		else
			out_pairs(json_object_get(doc, "data"), NULL);
	}
	json_decref(doc);
	return rc;
}

static int list(struct cli *c, struct err *e)
{
	json_t *doc, *v;
	size_t i;
	int rc = cli_call(c, "LIST", "sys/rotation/config", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		json_array_foreach(json_object_get(json_object_get(doc, "data"), "keys"),
		                   i, v) out_text(json_string_value(v));
	json_decref(doc);
	return rc;
}

static const struct flag rotate_flags[] = {
	{"timeout",   FLAG_STRING, "DURATION", "how long to wait for the hosts (60s)" },
	{ "no-wait", FLAG_BOOL, NULL, "return as soon as the new version is published" },
	{ 0         },
};
static const struct flag set_flags[] = {
	{"field",			     FLAG_STRING, "NAME",
         "the field that is made anew; the others are copied" },
	{ "length",			     FLAG_STRING, "N", "characters of the new value (32)" },
	{ "alphabet",				  FLAG_STRING, "CHARS", "characters to choose from" },
	{ "classes",FLAG_STRING, "A,B",
         "of lower,upper,digit,symbol: at least one of each" },
	{ "every", FLAG_STRING, "DURATION",
         "rotate by itself, such as 30d; 0 ends that" },
	{ "timeout",			 FLAG_STRING, "DURATION",
         "how long hosts may take before they are late" },
	{ 0			   },
};

static const struct command rows[] = {
	{"rotate",    NULL,     rotate, 1, 1, rotate_flags, "PATH",
         "make a new value and wait until every host has it",	                                "Ends with status 0 when every lease holder has applied the new version, 21 when some\n"
	  "are late (they are named).  Readers through the plain API are listed, not waited for."},
	{ "rotation", "set",    set,    1, 1, set_flags,    "PATH",
         "rule and schedule of a secret",							    NULL						     },
	{ "rotation", "show",   show,   1, 1, NULL,         "PATH", "rule and schedule of a secret",
         NULL																		 },
	{ "rotation", "unset",  unset,  1, 1, NULL,         "PATH", "forget rule and schedule",
         NULL																		 },
	{ "rotation", "list",   list,   0, 0, NULL,         "",     "secrets that have a rule",      NULL                                                     },
	{ "rotation", "status", status, 1, 1, NULL,         "PATH",
         "the last rotation of a secret",							    NULL						     },
};

const struct command_set commands_rotate = { rows, ARRAY_LEN(rows) };
