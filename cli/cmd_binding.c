/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_binding - files that containers may ask for. */
#include <string.h>

#include "call.h"
#include "fields.h"
#include "out.h"

/* A whole definition, then KEY=VALUE over it. */
static int write_binding(struct cli *c, struct err *e)
{
	json_t *body = json_object();
	int rc = ERR_OK;

	for (int i = 1; rc == ERR_OK && i < c->args; i++)
		rc = strchr(c->arg[i], '=') != NULL
		             ? fields_setting(body, c->arg[i], e)
		             : fields_document(c->arg[i], &body, e);
	if (rc == ERR_OK)
		rc = call_run(c, "POST", "sys/bindings/{1}", body, PRINT_NONE, e);
	json_decref(body);
	return rc;
}

static int simple(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct call_row calls[] = {
		{ "read",   "GET",    "sys/bindings/{1}", PRINT_DATA, false, NULL },
		{ "list",   "LIST",   "sys/bindings",     PRINT_KEYS, false, NULL },
		{ "delete", "DELETE", "sys/bindings/{1}", PRINT_NONE, false,
		  "Delete this binding?  Its files go from all hosts." },
	};
	/* clang-format on */

	return call_table(c, calls, ARRAY_LEN(calls), e);
}

/* clang-format off */
static const struct flag yes_flags[] = {
	{ "yes", FLAG_BOOL, NULL, "do not ask" },
	{ 0 },
};
static const char write_details[] =
	"FILE (or -) is a JSON object; KEY=VALUE comes over it, as JSON or text.  It is the whole\n"
	"definition: what it does not name has its default.  Keys: docs/agent.md.\n"
	"\n"
	"  vaultctl binding write app roles=web images='registry.example/app:*' reload=signal \\\n"
	"      files='[{\"path\": \"secret/app/db\", \"field\": \"password\", \"name\": \"pw\"}]'\n"
	"\n"
	"A container asks for it by the label vault.bind=app.";

static const struct command rows[] = {
	{ "binding", "write",  write_binding, 2, -1, NULL,      "NAME [FILE|-] [KEY=VALUE …]",
	  "define files that containers may ask for", write_details },
	{ "binding", "read",   simple,        1, 1,  NULL,      "NAME", "one binding as it was defined", NULL },
	{ "binding", "list",   simple,        0, 0,  NULL,      "",     "all bindings", NULL },
	{ "binding", "delete", simple,        1, 1,  yes_flags, "NAME", "delete a binding; its files go", NULL },
};
/* clang-format on */

const struct command_set commands_binding = { rows, ARRAY_LEN(rows) };
