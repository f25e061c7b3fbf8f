/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_swarm - secrets that go into the services of a Docker Swarm. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "cmd_swarm.h"
#include "fields.h"
#include "out.h"

#define PATH_CAP 2048

const char *swarm_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

json_t *swarm_refs(const json_t *spec)
{
	return json_object_get(json_object_get(json_object_get(spec, "TaskTemplate"),
	                                       "ContainerSpec"),
	                       "Secrets");
}

/* ---- definitions ---- */

/* --target, --uid, --gid and --mode are the one target of a simple binding. */
static int add_target(struct cli *c, json_t *body, struct err *e)
{
	static const char *const names[] = { "target", "uid", "gid", "file-mode" };
	static const char *const members[] = { "target", "uid", "gid", "mode" };
	json_t *target = json_object();
	int rc = ERR_OK;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (cli_flag(c, names[i]) != NULL)
			json_object_set_new(target, members[i],
			                    json_string(cli_flag(c, names[i])));
	if (json_object_size(target) > 0 && json_object_get(body, "targets") != NULL)
		rc = err_set(e, ERR_USAGE, "there are targets already");
	else if (json_object_size(target) > 0)
		json_object_set_new(body, "targets", json_pack("[O]", target));
	json_decref(target);
	return rc;
}

static int add_template(const char *source, json_t *body, struct err *e)
{
	char *text = NULL;
	size_t n = 0;
	json_t *v;
	int rc = cli_read(source, &text, &n, e);

	if (rc != ERR_OK)
		return rc;
	v = json_stringn(text, n);
	cli_wipe(text);
	if (v == NULL)
		return err_set(e, ERR_INVALID, "'%.100s' is not UTF-8 text", source);
	json_object_set_new(body, "template_text", v);
	json_object_set_new(body, "format", json_string("template"));
	return ERR_OK;
}

/* "a,b": an array of both; another flag is one text. */
static json_t *flag_value(const char *flag, const char *text)
{
	json_t *list = json_array();

	if (strcmp(flag, "service") != 0 && strcmp(flag, "role") != 0) {
		json_decref(list);
		return json_string(text);
	}
	for (;;) {
		size_t n = strcspn(text, ",");

		if (n > 0)
			json_array_append_new(list, json_stringn(text, n));
		if (text[n] == '\0')
			return list;
		text += n + 1;
	}
}

/* A whole definition, KEY=VALUE over it, then flags. */
int swarm_definition(struct cli *c, json_t **out, struct err *e)
{
	static const char *const flags[] = { "path", "field", "role", "service",
		                             "cluster" };
	static const char *const members[] = { "path", "field", "roles", "services",
		                               "cluster" };
	json_t *body = json_object();
	int rc = ERR_OK;

	for (int i = 1; rc == ERR_OK && i < c->args; i++)
		rc = strchr(c->arg[i], '=') != NULL
		             ? fields_setting(body, c->arg[i], e)
		             : fields_document(c->arg[i], &body, e);
	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(flags); i++)
		if (cli_flag(c, flags[i]) != NULL)
			json_object_set_new(body, members[i],
			                    flag_value(flags[i], cli_flag(c, flags[i])));
	if (rc == ERR_OK && cli_flag(c, "template") != NULL)
		rc = add_template(cli_flag(c, "template"), body, e);
	if (rc == ERR_OK)
		rc = add_target(c, body, e);
	*out = body;
	return rc;
}

static int bind_service(struct cli *c, struct err *e)
{
	json_t *body = NULL;
	int rc = swarm_definition(c, &body, e);

	if (rc == ERR_OK)
		rc = call_run(c, "POST", "sys/swarm/bindings/{1}", body, PRINT_NONE, e);
	json_decref(body);
	return rc;
}

static int simple(struct cli *c, struct err *e)
{
	/* clang-format off */
	static const struct call_row calls[] = {
		{ "show",   "GET",    "sys/swarm/bindings/{1}",       PRINT_DATA, false, NULL },
		{ "list",   "LIST",   "sys/swarm/bindings",           PRINT_KEYS, false, NULL },
		{ "delete", "DELETE", "sys/swarm/bindings/{1}",       PRINT_NONE, false,
		  "Delete this binding?  Its services keep what they have, and hear of no new version." },
		{ "apply",  "POST",   "sys/swarm/bindings/{1}/apply", PRINT_NONE, false, NULL },
		{ "gc",     "POST",   "sys/swarm/bindings/{1}/gc",    PRINT_NONE, false, NULL },
		{ "forget", "DELETE", "sys/swarm/clusters/{1}",       PRINT_NONE, false,
		  "Forget this Swarm?  Rotations wait for its services no more." },
	};
	/* clang-format on */

	return call_table(c, calls, ARRAY_LEN(calls), e);
}

/* ---- how far it is ---- */

static int show_binding(struct cli *c, struct err *e)
{
	static const char *const keys[] = { "cluster", "path",   "current", "applied",
		                            "state",   "detail", NULL };
	static const struct column columns[] = {
		{"SERVICE",  "name"   },
                { "STATE",   "state"  },
                { "VERSION", "version"},
		{ "GOOD",    "good"   },
                { "SINCE",   "since"  },
                { "REASON",  "reason" },
	};
	json_t *doc = NULL, *k;
	char path[PATH_CAP];
	size_t i;
	int rc = call_path(c, "sys/swarm/bindings/{1}/status", path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call(c, "GET", path, NULL, &doc, e);
	if (rc == ERR_OK && c->format == CLI_JSON) {
		out_json(c, doc);
	} else if (rc == ERR_OK) {
		json_array_foreach(
			json_object_get(json_object_get(doc, "data"), "clusters"), i, k)
		{
			if (i > 0)
				puts("");
			out_pairs(k, keys);
			puts("");
			out_table(json_object_get(k, "services"), columns,
			          ARRAY_LEN(columns));
		}
	}
	json_decref(doc);
	return rc;
}

static int show_cluster(struct cli *c, const char *id, json_t *all, struct err *e)
{
	static const char *const keys[] = { "cluster", "leader", "node",
		                            "epoch",   "since",  NULL };
	static const struct column columns[] = {
		{"BINDING",   "binding"       },
                { "PATH",     "path"          },
		{ "CURRENT",  "current"       },
                { "APPLIED",  "applied"       },
		{ "STATE",    "state"         },
                { "SERVICES", "services_known"},
		{ "DETAIL",   "detail"        },
	};
	json_t *doc = NULL, *data;
	char path[PATH_CAP];
	int rc = cli_path("sys/swarm/clusters/", id, path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call(c, "GET", path, NULL, &doc, e);
	data = json_object_get(doc, "data");
	if (rc == ERR_OK && c->format == CLI_JSON) {
		json_array_append(all, data);
	} else if (rc == ERR_OK) {
		if (json_array_size(all) > 0)
			puts("");
		out_pairs(data, keys);
		puts("");
		out_table(json_object_get(data, "bindings"), columns, ARRAY_LEN(columns));
		json_array_append(all, data);
	}
	json_decref(doc);
	return rc;
}

static int status(struct cli *c, struct err *e)
{
	json_t *doc = NULL, *all, *id;
	size_t i;
	int rc;

	if (c->args > 0)
		return show_binding(c, e);
	rc = cli_call(c, "LIST", "sys/swarm/clusters", NULL, &doc, e);
	if (rc == ERR_NOENT) {
		say("No agent of a Swarm has asked yet.");
		return ERR_OK;
	}
	all = json_array();
	json_array_foreach(json_object_get(json_object_get(doc, "data"), "keys"), i, id)
	{
		if (rc == ERR_OK)
			rc = show_cluster(c, json_string_value(id), all, e);
	}
	if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, all);
	json_decref(all);
	json_decref(doc);
	return rc;
}

/* ---- commands ---- */

/* clang-format off */
static const struct flag yes_flags[] = {
	{ "yes", FLAG_BOOL, NULL, "do not ask" },
	{ 0 },
};
#define DEFINITION                                                                           \
	{ "path",      FLAG_STRING, "PATH",    "the secret, such as secret/app/db" },             \
	{ "field",     FLAG_STRING, "FIELD",   "for format=raw, which is the default" },          \
	{ "template",  FLAG_STRING, "FILE|-",  "a text that names the secret's fields" },         \
	{ "role",      FLAG_STRING, "ROLE,…",  "host roles whose hosts may sync it" },            \
	{ "service",   FLAG_STRING, "NAME,…",  "beside services with the label vault.sync=NAME" },\
	{ "cluster",   FLAG_STRING, "ID",      "the one Swarm that it is for (any)" },            \
	{ "target",    FLAG_STRING, "FILE",    "below /run/secrets in the container (NAME)" },    \
	{ "uid",       FLAG_STRING, "N",       "owner of the file (0)" },                         \
	{ "gid",       FLAG_STRING, "N",       "group of the file (0)" },                         \
	{ "file-mode", FLAG_STRING, "OCTAL",   "mode of the file (0400)" }
#define SOCKET { "docker-socket", FLAG_STRING, "PATH", "of the manager's Engine, /var/run/docker.sock if not given" }
static const struct flag bind_flags[] = {
	DEFINITION,
	{ 0 },
};
static const struct flag plan_flags[] = {
	DEFINITION,
	SOCKET,
	{ 0 },
};
static const struct flag import_flags[] = {
	{ "path",          FLAG_STRING, "PATH",   "where the value is in the vault, of one secret" },
	{ "prefix",        FLAG_STRING, "PATH",   "of many: each is at PATH/SECRET" },
	{ "field",         FLAG_STRING, "FIELD",  "of the secret there (value)" },
	{ "role",          FLAG_STRING, "ROLE,…", "host roles whose hosts may sync it" },
	{ "name",          FLAG_STRING, "NAME",   "of the binding; else that of the Docker secret" },
	{ "stack",         FLAG_STRING, "NAME",   "only what 'docker stack deploy' made for this stack" },
	{ "service-label", FLAG_STRING, "KEY[=VALUE]", "only what services with this label use" },
	{ "dry-run",       FLAG_BOOL,   NULL,     "say what would be taken over, and change nothing" },
	SOCKET,
	{ 0 },
};
static const char bind_details[] =
	"FILE (or -) is a JSON object; KEY=VALUE comes over it, as JSON or text.  It is the whole\n"
	"definition: what it does not name has its default.  Keys: docs/swarm.md.\n"
	"\n"
	"  vaultctl swarm bind db --path secret/app/db --field password --role managers \\\n"
	"      --service web soak=2m window=22:00-04:30";

static const char plan_details[] =
	"Asks the Docker Engine of a manager, so it runs there.  With --path (or KEY=VALUE) it is\n"
	"the plan of a binding that is not written yet, as 'swarm bind' would be told of it.\n"
	"\n"
	"Services: update (new tasks), adopt (has the value: watched, not restarted), none, wait,\n"
	"hold, leave, skip.  AFTER assumes that updates take no time: it is what soaking takes.";
static const char import_details[] =
	"Asks the Docker Engine of a manager, so it runs there.  Without --path or --prefix it lists\n"
	"the secrets of the Swarm and the services that use them.\n"
	"\n"
	"Docker gives no value back.  It is compared instead: Docker says whether a value that it\n"
	"is sent is the one that it has.  Where the vault has the value, the secret gets the labels\n"
	"of a binding, which is written then, and nothing restarts.  Where it has not, put it in\n"
	"first ('swarm import' says how), and where it has another, nothing happens.\n"
	"\n"
	"  vaultctl swarm import db_password --path secret/app/db --field password --role managers\n"
	"  vaultctl swarm import --stack shop --prefix secret/shop --role managers";

static const struct command rows[] = {
	{ "swarm", "bind",   bind_service, 1, -1, bind_flags, "NAME [FILE|-] [KEY=VALUE …]",
	  "define which services of a Swarm get a secret", bind_details },
	{ "swarm", "plan",   swarm_plan_run, 0, -1, plan_flags, "[NAME …] | NAME [FILE|-] [KEY=VALUE …]",
	  "what agents would do now, or with such a binding; changes nothing", plan_details },
	{ "swarm", "import", swarm_import_run, 0, -1, import_flags, "[SECRET …]",
	  "take over secrets that the Swarm has, without a restart", import_details },
	{ "swarm", "show",   simple,       1, 1,  NULL,       "NAME", "one binding as it was defined", NULL },
	{ "swarm", "list",   simple,       0, 0,  NULL,       "",     "all bindings", NULL },
	{ "swarm", "delete", simple,       1, 1,  yes_flags,  "NAME", "delete a binding; services keep what they have", NULL },
	{ "swarm", "status", status,       0, 1,  NULL,       "[NAME]", "who leads, and which service has which version", NULL },
	{ "swarm", "apply",  simple,       1, 1,  NULL,       "NAME", "try again now what has failed", NULL },
	{ "swarm", "gc",     simple,       1, 1,  NULL,       "NAME", "remove old versions from the Swarm now", NULL },
	{ "swarm", "forget", simple,       1, 1,  yes_flags,  "CLUSTER", "forget a Swarm that is gone", NULL },
};
/* clang-format on */

const struct command_set commands_swarm = { rows, ARRAY_LEN(rows) };
