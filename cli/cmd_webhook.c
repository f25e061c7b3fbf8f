/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_webhook - who is told of rotations. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "cmd_rotate.h"
#include "fields.h"
#include "out.h"

#define CALL_MS 60000L /* the other side is asked meanwhile */

static int take_file(struct cli *c, json_t *body, const char *name, struct err *e)
{
	const char *file = cli_flag(c, name);

	return file != NULL ? fields_member(body, name, file, e) : ERR_OK;
}

static int send(struct cli *c, const char *template, json_t *body, json_t **doc,
                struct err *e)
{
	char path[4096];
	int rc = call_path(c, template, path, sizeof(path), e);

	return rc == ERR_OK ? cli_call_timeout(c, "POST", path, body, CALL_MS, doc, e)
	                    : rc;
}

static int set(struct cli *c, struct err *e)
{
	json_t *body = call_body(c, "{secret}{ca}{enabled}"), *doc = NULL;
	const char *secret;
	int rc;

	if (c->args > 1)
		json_object_set_new(body, "url", json_string(c->arg[1]));
	if (cli_flag(c, "enabled") != NULL)
		json_object_set_new(body, "disabled", json_false());
	if ((rc = take_file(c, body, "secret", e)) == ERR_OK &&
	    (rc = take_file(c, body, "ca", e)) == ERR_OK && json_object_size(body) == 0)
		rc = err_set(e, ERR_USAGE,
		             "nothing to set: see 'vaultctl help webhook set'");
	if (rc == ERR_OK)
		rc = send(c, "sys/rotation/webhooks/{1}", body, &doc, e);
	secret = rotate_text(json_object_get(doc, "data"), "secret");
	if (rc == ERR_OK && c->format == CLI_JSON && doc != NULL) {
		out_json(c, doc);
	} else if (rc == ERR_OK && secret[0] != '\0') {
		say("The key of its signatures, shown this once:");
		out_text(secret);
	}
	json_decref(body);
	json_decref(doc);
	return rc;
}

static int test(struct cli *c, struct err *e)
{
	json_t *doc = NULL;
	int rc = send(c, "sys/rotation/webhooks/{1}/test", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		printf("Delivered: %s\n",
		       rotate_text(json_object_get(doc, "data"), "message"));
	json_decref(doc);
	return rc;
}

static int simple(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct call_row calls[] = {
		{ "show",   "GET",    "sys/rotation/webhooks/{1}", PRINT_DATA, false, NULL },
		{ "delete", "DELETE", "sys/rotation/webhooks/{1}", PRINT_NONE, false,
		  "Forget this webhook, with what it was not told yet?" },
	};
	/* clang-format on */

	return call_table(c, calls, ARRAY_LEN(calls), e);
}

static int list(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct column columns[] = {
		{ "NAME",     "name" },
		{ "URL",      "url" },
		{ "EVENTS",   "events" },
		{ "DISABLED", "disabled" },
		{ "PENDING",  "pending" },
		{ "ERROR",    "error" },
	};
	/* clang-format on */
	json_t *doc = NULL, *rows;
	int rc = cli_call(c, "LIST", "sys/rotation/webhooks", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK) {
		rows = out_rows(doc, "name");
		out_table(rows, columns, ARRAY_LEN(columns));
		json_decref(rows);
	}
	json_decref(doc);
	return rc;
}

/* clang-format off */
static const struct flag set_flags[] = {
	{ "events",   FLAG_STRING, "A,B", "of due, done, failed, held, late, retire_late, leaked, overdue, jumped, ahead (all)" },
	{ "paths",    FLAG_STRING, "GLOB,…", "secrets that it is about (all)" },
	{ "secret",   FLAG_STRING, "FILE|-", "key of the signatures; one is made and shown if there is none" },
	{ "ca",       FLAG_STRING, "FILE|-", "PEM of its certificate authority (the system's)" },
	{ "insecure", FLAG_BOOL,   NULL, "http:// to another machine is allowed" },
	{ "disabled", FLAG_BOOL,   NULL, "send nothing, keep nothing new" },
	{ "enabled",  FLAG_BOOL,   NULL, "end of that" },
	{ 0 },
};
static const struct flag yes_flags[] = {
	{ "yes", FLAG_BOOL, NULL, "do not ask" },
	{ 0 },
};
static const char set_details[] =
	"What is not named stays as it is.  Each event is a POST of JSON, signed in the header\n"
	"Vaultd-Signature; delivered is what was answered by 2xx, the rest is tried again for a\n"
	"week.  How to check a signature: docs/rotation.md.";

static const struct command rows[] = {
	{ "webhook", "set",    set,    1, 2, set_flags, "NAME [URL]", "tell an HTTP endpoint of rotations", set_details },
	{ "webhook", "show",   simple, 1, 1, NULL,      "NAME", "where it is, and how far", NULL },
	{ "webhook", "list",   list,   0, 0, NULL,      "",     "who is told of rotations", NULL },
	{ "webhook", "test",   test,   1, 1, NULL,      "NAME", "send it an event \"test\"", NULL },
	{ "webhook", "delete", simple, 1, 1, yes_flags, "NAME", "forget it", NULL },
};
/* clang-format on */

const struct command_set commands_webhook = { rows, ARRAY_LEN(rows) };
