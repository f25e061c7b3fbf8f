/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "out.h"

static void print_table(const json_t *doc)
{
	static const struct column columns[] = {
		{"NAME",      "name"   },
                { "BUILT-IN", "builtin"},
		{ "PINNED",   "pinned" },
                { "TIMEOUT",  "timeout"},
		{ "PATH",     "path"   },
	};
	json_t *rows = out_rows(doc, "name");

	out_table(rows, columns, ARRAY_LEN(columns));
	json_decref(rows);
}

static int list(struct cli *c, struct err *e)
{
	json_t *doc = NULL;
	int rc = cli_call(c, "LIST", "sys/rotation/rotators", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		print_table(doc);
	json_decref(doc);
	return rc;
}

static int describe(struct cli *c, struct err *e)
{
	return call_run(c, "GET", "sys/rotation/rotators/{1}", NULL, PRINT_DATA, e);
}

/* clang-format off */
static const struct command rows[] = {
	{ "rotator", "list",     list,     0, 0, NULL, "",     "which rotators there are", NULL },
	{ "rotator", "describe", describe, 1, 1, NULL, "NAME", "what a rotator can do, as it says itself", NULL },
};
/* clang-format on */

const struct command_set commands_rotator = { rows, ARRAY_LEN(rows) };
