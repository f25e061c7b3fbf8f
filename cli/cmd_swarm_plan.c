/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_swarm_plan - what the agents would do now, from what the vault and a manager say.
 */
#include <stdio.h>
#include <string.h>

#include "cmd_swarm.h"
#include "duration.h"
#include "out.h"
#include "place.h"
#include "swarm_plan.h"

/* What was said of it, collected. */
struct asked {
	struct cli *c;
	struct docker_api *docker;
	json_t *bindings, *rows;
	json_t *services, *tasks, *secrets;
};

/* ---- the vault ---- */

/* Of a secret that no agent has asked for yet: as the KV engine counts. */
static int newest(struct cli *c, const char *full, json_int_t *version, struct err *e)
{
	char path[PLACE_PATH];
	json_t *doc = NULL;
	struct place p;
	int rc = place_find(c, full, &p, e);

	*version = 0;
	if (rc == ERR_OK && !p.versions)
		return err_set(e, ERR_INVALID, "it keeps no versions (KV version 1)");
	if (rc == ERR_OK)
		rc = place_path(&p, "metadata", path, e);
	if (rc == ERR_OK)
		rc = cli_call(c, "GET", path, NULL, &doc, e);
	*version = json_integer_value(
		json_object_get(json_object_get(doc, "data"), "current_version"));
	json_decref(doc);
	return rc;
}

static json_t *of_cluster(const json_t *status, const char *cluster)
{
	json_t *k;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(status, "data"), "clusters"),
	                   i, k)
	{
		if (strcmp(swarm_text(k, "cluster"), cluster) == 0)
			return k;
	}
	return NULL;
}

/* How far it is, and which version is the newest. */
static int add_status(struct asked *a, json_t *b, struct err *e)
{
	const char *name = swarm_text(b, "name");
	json_t *doc = NULL, *k, *row, *current;
	char at[PLACE_PATH], path[PLACE_PATH + 8];
	json_int_t version;
	struct err why;
	size_t i;
	int rc = cli_path("sys/swarm/bindings/", name, at, sizeof(at), e);

	if (rc != ERR_OK)
		return rc;
	snprintf(path, sizeof(path), "%s/status", at);
	rc = cli_call(a->c, "GET", path, NULL, &doc, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	k = of_cluster(doc, docker_api_cluster(a->docker));
	json_array_foreach(json_object_get(k, "services"), i, row)
	{
		json_object_set_new(row, "binding", json_string(name));
		json_array_append(a->rows, row);
	}
	current = json_object_get(k, "current");
	version = json_integer_value(current);
	if (current == NULL &&
	    newest(a->c, swarm_text(b, "path"), &version, &why) != ERR_OK)
		json_object_set_new(b, "unknown", json_string(why.msg));
	json_object_set_new(b, "version", json_integer(version));
	json_decref(doc);
	return ERR_OK;
}

static int add_binding(struct asked *a, json_t *b, struct err *e)
{
	const char *cluster = swarm_text(b, "cluster");

	if (*cluster != '\0' && strcmp(cluster, docker_api_cluster(a->docker)) != 0)
		return ERR_OK;
	json_array_append(a->bindings, b);
	return add_status(a, b, e);
}

static int get_binding(struct asked *a, const char *name, struct err *e)
{
	char path[PLACE_PATH];
	json_t *doc = NULL;
	int rc = cli_path("sys/swarm/bindings/", name, path, sizeof(path), e);

	if (rc == ERR_OK)
		rc = cli_call(a->c, "GET", path, NULL, &doc, e);
	if (rc == ERR_OK)
		rc = add_binding(a, json_object_get(doc, "data"), e);
	else if (rc == ERR_NOENT)
		err_set(e, ERR_NOENT, "there is no binding '%.100s'", name);
	json_decref(doc);
	return rc;
}

/* One that is not written yet: with what "bind" would be told. */
static bool is_draft(const struct cli *c)
{
	return cli_flag(c, "path") != NULL ||
	       (c->args > 1 && strchr(c->arg[1], '=') != NULL);
}

static int add_draft(struct asked *a, struct err *e)
{
	json_t *b = NULL;
	int rc = swarm_definition(a->c, &b, e);

	if (rc == ERR_OK) {
		json_object_set_new(b, "name", json_string(a->c->arg[0]));
		rc = add_binding(a, b, e);
	}
	json_decref(b);
	return rc;
}

static bool is_asked(const struct cli *c, const char *name)
{
	int n = is_draft(c) ? 1 : c->args;

	for (int i = 0; i < n; i++)
		if (strcmp(c->arg[i], name) == 0)
			return true;
	return c->args == 0;
}

/* All, since they share services: one after another is served.  Who may not list them
 * sees those that were asked for, as if they were alone. */
static int add_all(struct asked *a, struct err *e)
{
	json_t *doc = NULL, *name;
	size_t i;
	int rc = cli_call(a->c, "LIST", "sys/swarm/bindings", NULL, &doc, e);
	bool draft = is_draft(a->c);

	if (rc == ERR_NOENT || (rc == ERR_DENIED && a->c->args > 0)) {
		rc = ERR_OK;
		for (int k = 0; rc == ERR_OK && !draft && k < a->c->args; k++)
			rc = get_binding(a, a->c->arg[k], e);
	}
	json_array_foreach(json_object_get(json_object_get(doc, "data"), "keys"), i, name)
	{
		if (rc == ERR_OK &&
		    (!draft || strcmp(json_string_value(name), a->c->arg[0]) != 0))
			rc = get_binding(a, json_string_value(name), e);
	}
	json_decref(doc);
	return rc == ERR_OK && draft ? add_draft(a, e) : rc;
}

/* ---- Docker ---- */

static int look(struct asked *a, struct err *e)
{
	int rc = docker_api_get(a->docker, "/services?status=true", &a->services, e);

	if (rc == ERR_OK)
		rc = docker_api_get(a->docker, "/tasks", &a->tasks, e);
	if (rc == ERR_OK)
		rc = docker_api_get(a->docker, "/secrets", &a->secrets, e);
	return rc;
}

/* ---- printing ---- */

static const json_t *find(const json_t *list, const char *name)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		if (strcmp(swarm_text(o, "name"), name) == 0)
			return o;
	}
	return NULL;
}

static const char *why_of(const json_t *s)
{
	const char *action = swarm_text(s, "action"), *reason = swarm_text(s, "reason");

	if (json_is_true(json_object_get(s, "canary")))
		return "goes first, and alone";
	if (*reason != '\0')
		return reason;
	if (strcmp(action, "adopt") == 0)
		return "refers to it already: watched, not restarted";
	return strcmp(action, "none") == 0 ? "has it" : "";
}

static json_t *table_of(const json_t *services)
{
	json_t *rows = json_array(), *s;
	size_t i;

	json_array_foreach(services, i, s)
	{
		json_t *row = json_copy(s);
		char after[DURATION_TEXT_MAX];

		json_object_set_new(row, "why", json_string(why_of(s)));
		if (json_object_get(s, "after_ms") != NULL) {
			int64_t ms = json_integer_value(json_object_get(s, "after_ms"));

			duration_format(ms / 1000 * 1000, after);
			json_object_set_new(row, "after", json_string(after));
		} else {
			json_object_set_new(row, "how", json_string("none"));
		}
		json_array_append_new(rows, row);
	}
	return rows;
}

static const char *words_of(const char *action)
{
	if (strcmp(action, "create") == 0)
		return "is made";
	return "is there, and taken if it has the value";
}

static void print_secrets(const json_t *list, bool removed)
{
	char cell[128];
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s)
		printf("  %s %s\n",
	               out_scalar(json_object_get(s, "name"), cell, sizeof(cell)),
	               removed ? "is removed" : words_of(swarm_text(s, "action")));
}

static void print_head(const json_t *p, const json_t *def)
{
	json_int_t version = json_integer_value(json_object_get(p, "version"));
	bool driver = strcmp(swarm_text(def, "mode"), "driver") == 0;
	char name[256], path[1200], text[300];

	printf("%s: version %lld of %s\n",
	       out_scalar(json_object_get(p, "binding"), name, sizeof(name)),
	       (long long)version,
	       out_scalar(json_object_get(p, "path"), path, sizeof(path)));
	if (driver)
		puts("  a secret driver hands it out: the Docker secrets have no value");
	if (version == 0)
		printf("  its version is not known: %s\n",
		       out_scalar(json_object_get(def, "unknown"), text, sizeof(text)));
	print_secrets(json_object_get(p, "secrets"), false);
	print_secrets(json_object_get(p, "removes"), true);
	if (*swarm_text(def, "window") != '\0')
		printf("  only between %s UTC\n",
		       out_scalar(json_object_get(def, "window"), text, sizeof(text)));
}

static void print_plan(const json_t *plan, const json_t *bindings, const struct cli *c)
{
	static const struct column columns[] = {
		{"SERVICE",   "name"  },
                { "ACTION",   "action"},
                { "ORDER",    "order" },
		{ "AFTER",    "after" },
                { "RESTARTS", "how"   },
                { "FROM",     "from"  },
		{ "TO",       "to"    },
                { "WHY",      "why"   },
	};
	const json_t *p;
	size_t i;
	bool any = false;

	json_array_foreach(plan, i, p)
	{
		const char *name = swarm_text(p, "binding");
		json_t *rows;

		if (!is_asked(c, name))
			continue;
		if (any)
			puts("");
		any = true;
		print_head(p, find(bindings, name));
		rows = table_of(json_object_get(p, "services"));
		if (json_array_size(rows) > 0)
			out_table(rows, columns, ARRAY_LEN(columns));
		else
			puts("  no service of this Swarm is bound");
		json_decref(rows);
	}
	if (!any)
		say("No binding is for this Swarm.");
}

static void print_json(struct cli *c, const json_t *plan)
{
	json_t *out = json_array(), *p;
	size_t i;

	json_array_foreach(plan, i, p)
	{
		if (is_asked(c, swarm_text(p, "binding")))
			json_array_append(out, p);
	}
	out_json(c, out);
	json_decref(out);
}

/* ---- the command ---- */

static int show(struct asked *a, struct err *e)
{
	const struct swarm_plan p = { docker_api_cluster(a->docker),
		                      a->bindings,
		                      a->rows,
		                      a->services,
		                      a->tasks,
		                      a->secrets };
	json_t *plan = NULL;
	int rc = swarm_plan(&p, &plan, e);

	if (rc == ERR_OK && a->c->format == CLI_JSON)
		print_json(a->c, plan);
	else if (rc == ERR_OK)
		print_plan(plan, a->bindings, a->c);
	json_decref(plan);
	return rc;
}

int swarm_plan_run(struct cli *c, struct err *e)
{
	struct asked a = { .c = c, .bindings = json_array(), .rows = json_array() };
	int rc = docker_api_open(cli_flag(c, "docker-socket"), &a.docker, e);

	if (rc == ERR_OK)
		rc = add_all(&a, e);
	if (rc == ERR_OK)
		rc = look(&a, e);
	if (rc == ERR_OK)
		rc = show(&a, e);
	json_decref(a.bindings);
	json_decref(a.rows);
	json_decref(a.services);
	json_decref(a.tasks);
	json_decref(a.secrets);
	docker_api_close(a.docker);
	return rc;
}
