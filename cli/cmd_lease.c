/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"

static void print_table(const json_t *doc)
{
	static const struct column columns[] = {
		{"LEASE",    "lease_id"},
                { "PATH",    "path"    },
                { "HOST",    "host"    },
		{ "VERSION", "version" },
                { "APPLIED", "applied" },
                { "STATE",   "state"   },
		{ "EXPIRES", "expires" },
	};
	const json_t *data = json_object_get(doc, "data"),
		     *info = json_object_get(data, "key_info");
	json_t *rows = json_array(), *key;
	size_t i;

	json_array_foreach(json_object_get(data, "keys"), i, key)
	{
		json_t *row = json_object_get(info, json_string_value(key));

		json_object_set(row, "lease_id", key);
		json_array_append(rows, row);
	}
	out_table(rows, columns, ARRAY_LEN(columns));
	json_decref(rows);
}

static int list(struct cli *c, struct err *e)
{
	const char *path = cli_flag(c, "path"), *host = cli_flag(c, "host");
	char query[4096];
	json_t *doc = NULL;
	size_t n;
	int rc = ERR_OK;

	snprintf(query, sizeof(query), "sys/vault-leases");
	if (path != NULL)
		rc = cli_path("sys/vault-leases?path=", path, query, sizeof(query), e);
	n = strlen(query);
	if (rc == ERR_OK && host != NULL)
		rc = cli_path(path != NULL ? "&host=" : "?host=", host, query + n,
		              sizeof(query) - n, e);
	if (rc == ERR_OK)
		rc = cli_call(c, "LIST", query, NULL, &doc, e);
	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		print_table(doc);
	json_decref(doc);
	return rc;
}

static int revoke_lease(struct cli *c, struct err *e)
{
	json_t *body = json_pack("{s:s}", "lease_id", c->arg[0]), *doc;
	int rc = cli_call(c, "POST", "sys/vault-leases/revoke", body, &doc, e);

	json_decref(body);
	json_decref(doc);
	return rc;
}

static const struct flag list_flags[] = {
	{"path",  FLAG_STRING, "PATH", "only leases of this secret" },
	{ "host", FLAG_STRING, "NAME", "only leases that this host holds" },
	{ 0     },
};

static const struct command rows[] = {
	{"lease",  "list",   list,         0, 0, list_flags, "",      "who holds which version of what",
         NULL												},
	{ "lease", "revoke", revoke_lease, 1, 1, NULL,       "LEASE",
         "take a secret from its holder",								NULL},
};

const struct command_set commands_lease = { rows, ARRAY_LEN(rows) };
