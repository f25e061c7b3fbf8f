/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "call.h"
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
	json_t *rows = out_rows(doc, "lease_id");

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

/* Ids of leases that the API gave out are paths; those of hosts are not. */
static bool is_path(const char *id)
{
	return strchr(id, '/') != NULL;
}

static int on_lease(struct cli *c, const char *path, enum call_print print, struct err *e)
{
	const char *increment = cli_flag(c, "increment");
	json_t *body = json_pack("{s:s}", "lease_id", c->arg[0]);
	int rc;

	if (increment != NULL)
		json_object_set_new(body, "increment", json_string(increment));
	rc = call_run(c, "POST", path, body, print, e);
	json_decref(body);
	return rc;
}

static int revoke_lease(struct cli *c, struct err *e)
{
	return on_lease(
		c, is_path(c->arg[0]) ? "sys/leases/revoke" : "sys/vault-leases/revoke",
		PRINT_NONE, e);
}

static int lookup_lease(struct cli *c, struct err *e)
{
	return on_lease(c, "sys/leases/lookup", PRINT_DATA, e);
}

static int renew_lease(struct cli *c, struct err *e)
{
	return on_lease(c, "sys/leases/renew", PRINT_DATA, e);
}

static int revoke_prefix(struct cli *c, struct err *e)
{
	bool force = cli_flag(c, "force") != NULL;
	int rc = cli_confirm(c, "Revoke every lease below this prefix?",
	                     cli_flag(c, "yes") != NULL, e);

	if (rc != ERR_OK)
		return rc;
	return call_run(c, "POST",
	                force ? "sys/leases/revoke-force/{1}"
	                      : "sys/leases/revoke-prefix/{1}",
	                NULL, PRINT_NONE, e);
}

static const struct flag list_flags[] = {
	{"path",  FLAG_STRING, "PATH", "only leases of this secret" },
	{ "host", FLAG_STRING, "NAME", "only leases that this host holds" },
	{ 0     },
};

static const struct flag renew_flags[] = {
	{"increment", FLAG_STRING, "DURATION", "new time to live" },
	{ 0},
};
static const struct flag prefix_flags[] = {
	{"force", FLAG_BOOL, NULL, "also those whose revocation fails" },
	{ "yes",   FLAG_BOOL, NULL, "do not ask" },
	{ 0     },
};

/* clang-format off */
static const struct command rows[] = {
	{ "lease", "list",          list,          0, 0, list_flags,   "",       "who holds which version of what", NULL },
	{ "lease", "lookup",        lookup_lease,  1, 1, NULL,         "LEASE",  "until when a lease of the API lasts", NULL },
	{ "lease", "renew",         renew_lease,   1, 1, renew_flags,  "LEASE",  "extend a lease of the API", NULL },
	{ "lease", "revoke",        revoke_lease,  1, 1, NULL,         "LEASE",  "take a secret from its holder", NULL },
	{ "lease", "revoke-prefix", revoke_prefix, 1, 1, prefix_flags, "PREFIX", "end all leases below a path", NULL },
};
/* clang-format on */

const struct command_set commands_lease = { rows, ARRAY_LEN(rows) };
