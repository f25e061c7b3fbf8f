/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"

#define PATH_CAP 2048

static int call_name(struct cli *c, const char *method, const char *prefix,
                     const char *suffix, json_t *body, json_t **doc, struct err *e)
{
	char path[PATH_CAP];
	size_t n;
	int rc = cli_path(prefix, c->arg[0], path, sizeof(path), e);

	*doc = NULL;
	if (rc != ERR_OK)
		return rc;
	n = strlen(path);
	snprintf(path + n, sizeof(path) - n, "%s", suffix);
	return cli_call(c, method, path, body, doc, e);
}

static int finish(struct cli *c, int rc, json_t *doc)
{
	if (rc == ERR_OK && c->format == CLI_JSON && doc != NULL)
		out_json(c, doc);
	else if (rc == ERR_OK && doc != NULL)
		out_pairs(json_object_get(doc, "data"), NULL);
	json_decref(doc);
	return rc;
}

static int add(struct cli *c, struct err *e)
{
	json_t *body = json_pack("{s:s, s:s?, s:s?}", "name", c->arg[0], "role",
	                         cli_flag(c, "role"), "ttl", cli_flag(c, "ttl"));
	json_t *doc = NULL;
	int rc;

	if (cli_flag(c, "role") == NULL)
		rc = err_set(e, ERR_USAGE,
		             "--role is needed: it says what the host may have");
	else
		rc = cli_call(c, "POST", "sys/hosts/add", body, &doc, e);
	json_decref(body);
	rc = finish(c, rc, doc);
	if (rc == ERR_OK && c->format == CLI_TABLE)
		say("On the host: vault-agent join --server %s --pin <server_pins> --token-file FILE\n"
		    "The join token is shown once, works once, and for this host alone.",
		    c->address);
	return rc;
}

static int list(struct cli *c, struct err *e)
{
	static const struct column columns[] = {
		{"HOST",        "name"         },
		{ "ROLE",       "role"         },
		{ "STATE",      "state"        },
		{ "LAST SEEN",  "last_seen"    },
		{ "AGENT",      "agent_version"},
		{ "LAG MS",     "lag_ms"       },
		{ "STALE",      "stale"        },
		{ "ALARMS",     "alarms"       },
		{ "LAST ERROR", "last_error"   },
	};
	json_t *doc, *rows;
	int rc = cli_call(c, "LIST", "sys/hosts", NULL, &doc, e);

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

static int show(struct cli *c, struct err *e)
{
	static const char *const keys[] = {
		"name",          "host_id",         "role",       "state",
		"generation",    "joined",          "keys_since", "last_seen",
		"agent_version", "checkpoint_size", "reported",   "lag_ms",
		"stale",         "last_error",      "alarms",     NULL
	};
	static const struct column leases[] = {
		{"LEASE",    "lease_id"},
                { "PATH",    "path"    },
                { "VERSION", "version" },
		{ "APPLIED", "applied" },
                { "STATE",   "state"   },
                { "EXPIRES", "expires" },
	};
	json_t *doc, *data;
	int rc = call_name(c, "GET", "sys/hosts/", "", NULL, &doc, e);

	data = json_object_get(doc, "data");
	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK) {
		out_pairs(data, keys);
		puts("");
		out_table(json_object_get(data, "leases"), leases, ARRAY_LEN(leases));
	}
	json_decref(doc);
	return rc;
}

static void add_row(json_t *rows, const json_t *from, const char *host,
                    const char *container)
{
	json_t *row = json_object();

	json_object_set_new(row, "host", json_string(host));
	json_object_set_new(row, "container", json_string(container));
	json_object_set(row, "version", json_object_get(from, "version"));
	json_object_set(row, "state", json_object_get(from, "state"));
	json_object_set(row, "since", json_object_get(from, "since"));
	json_array_append_new(rows, row);
}

/* A row for each host, then one for each of its containers, or services of a Swarm. */
static json_t *where_rows(const json_t *doc)
{
	const json_t *hosts = json_object_get(json_object_get(doc, "data"), "hosts");
	json_t *rows = json_array(), *host, *container;
	size_t i, k;

	json_array_foreach(hosts, i, host)
	{
		const char *name = json_string_value(json_object_get(host, "host"));

		add_row(rows, host, name != NULL ? name : "", "");
		json_array_foreach(json_object_get(host, "containers"), k, container)
			add_row(rows, container, name != NULL ? name : "",
		                json_string_value(json_object_get(container, "name")));
		json_array_foreach(json_object_get(host, "services"), k, container)
			add_row(rows, container, name != NULL ? name : "",
		                json_string_value(json_object_get(container, "name")));
	}
	return rows;
}

static int where(struct cli *c, struct err *e)
{
	static const struct column columns[] = {
		{"HOST",       "host"     },
                { "CONTAINER", "container"},
		{ "VERSION",   "version"  },
                { "STATE",     "state"    },
		{ "SINCE",     "since"    },
	};
	json_t *doc, *rows;
	int rc = call_name(c, "GET", "sys/hosts/where/", "", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK) {
		rows = where_rows(doc);
		out_table(rows, columns, ARRAY_LEN(columns));
		json_decref(rows);
	}
	json_decref(doc);
	return rc;
}

static int revoke_host(struct cli *c, struct err *e)
{
	json_t *doc = NULL;
	int rc = cli_confirm(c, "Revoke the host and have it wipe its files?",
	                     cli_flag(c, "yes") != NULL, e);

	if (rc == ERR_OK)
		rc = call_name(c, "POST", "sys/hosts/", "/revoke", NULL, &doc, e);
	json_decref(doc);
	return rc;
}

static json_t *path_list(const struct cli *c)
{
	json_t *list = json_array();

	for (int i = 1; i < c->args; i++)
		json_array_append_new(list, json_string(c->arg[i]));
	return list;
}

static int role_write(struct cli *c, struct err *e)
{
	json_t *body = json_pack("{s:o, s:s?, s:s?}", "paths", path_list(c), "ttl",
	                         cli_flag(c, "ttl"), "description",
	                         cli_flag(c, "description"));
	json_t *doc;
	int rc;

	if (cli_flag(c, "ttl") == NULL)
		json_object_del(body, "ttl");
	if (cli_flag(c, "description") == NULL)
		json_object_del(body, "description");
	rc = call_name(c, "POST", "sys/hosts/roles/", "", body, &doc, e);
	json_decref(body);
	return finish(c, rc, doc);
}

static int role_read(struct cli *c, struct err *e)
{
	json_t *doc;
	int rc = call_name(c, "GET", "sys/hosts/roles/", "", NULL, &doc, e);

	return finish(c, rc, doc);
}

static int role_delete(struct cli *c, struct err *e)
{
	json_t *doc;
	int rc = call_name(c, "DELETE", "sys/hosts/roles/", "", NULL, &doc, e);

	return finish(c, rc, doc);
}

static int role_list(struct cli *c, struct err *e)
{
	json_t *doc, *v;
	size_t i;
	int rc = cli_call(c, "LIST", "sys/hosts/roles", NULL, &doc, e);

	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		json_array_foreach(json_object_get(json_object_get(doc, "data"), "keys"),
		                   i, v) out_text(json_string_value(v));
	json_decref(doc);
	return rc;
}

static int pins(struct cli *c, struct err *e)
{
	json_t *body = NULL, *doc;
	int rc;

	if (c->args > 0)
		body = json_pack("{s:s}", "next", c->arg[0]);
	rc = cli_call(c, c->args > 0 ? "POST" : "GET", "sys/hosts/pins", body, &doc, e);
	json_decref(body);
	return finish(c, rc, doc);
}

static const struct flag add_flags[] = {
	{"role",  FLAG_STRING, "ROLE", "what the host may have (needed)" },
	{ "ttl", FLAG_STRING, "DURATION", "life of the join token (15m)" },
	{ 0     },
};
static const struct flag yes_flags[] = {
	{"yes", FLAG_BOOL, NULL, "do not ask" },
	{ 0},
};
static const struct flag role_flags[] = {
	{"ttl",       FLAG_STRING, "DURATION", "life of the leases (24h)" },
	{ "description", FLAG_STRING, "TEXT", "what the role is for" },
	{ 0         },
};

static const struct command rows[] = {
	{"host",       "add",    add,         1, 1,  add_flags,  "NAME",          "make a join token for a host",
         NULL																										       },
	{ "host",      "list",   list,        0, 0,  NULL,       "",              "all hosts",                        NULL													  },
	{ "host",      "show",   show,        1, 1,  NULL,       "NAME",          "one host and the leases it holds",
         NULL																										       },
	{ "host",      "revoke", revoke_host, 1, 1,  yes_flags,  "NAME",
         "cut a host off and wipe its files",									 NULL													  },
	{ "host",      "pins",   pins,        0, 1,  NULL,       "[sha256//…]",
         "the server keys that hosts pin; with an argument: announce the next one",	                           NULL													  },
	{ "where",     NULL,     where,       1, 1,  NULL,       "PATH",
         "which host and container has which version of a secret",	                                            "Hosts are known by what they have acknowledged, containers by what their host reports.\n"
	  "Needs read on sys/hosts/where/PATH."														   },
	{ "host-role", "write",  role_write,  2, -1, role_flags, "ROLE PATH …",
         "say which secrets hosts of a role may have",	                                                        "A PATH is a full secret path such as secret/app/db, or ends in '*'; secret/app/ is the names in that folder."},
	{ "host-role", "read",   role_read,   1, 1,  NULL,       "ROLE",          "what a role allows",
         NULL																										       },
	{ "host-role", "list",   role_list,   0, 0,  NULL,       "",              "all roles of hosts",               NULL													  },
	{ "host-role", "delete", role_delete, 1, 1,  NULL,       "ROLE",          "remove a role",                    NULL													  },
};

const struct command_set commands_host = { rows, ARRAY_LEN(rows) };
