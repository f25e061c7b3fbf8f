/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_swarm_import - what is there, and which of it may be taken over. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/swarm/names.h"
#include "out.h"
#include "swarm_import_impl.h"

/* ---- what there is ---- */

const json_t *import_spec(const json_t *o)
{
	return json_object_get(o, "Spec");
}

const char *import_label(const json_t *o, const char *key)
{
	return swarm_text(json_object_get(import_spec(o), "Labels"), key);
}

static bool has_label(const json_t *service, const char *want)
{
	const char *eq = strchr(want, '=');
	char key[256];

	snprintf(key, sizeof(key), "%.*s",
	         (int)(eq != NULL ? (size_t)(eq - want) : strlen(want)), want);
	return eq != NULL
	               ? strcmp(import_label(service, key), eq + 1) == 0
	               : json_object_get(json_object_get(import_spec(service), "Labels"),
	                                 key) != NULL;
}

/* The references of a service to a secret: {target, uid, gid, mode}. */
static json_t *refs_to(const json_t *service, const char *id)
{
	json_t *out = json_array(), *ref;
	size_t i;

	json_array_foreach(swarm_refs(import_spec(service)), i, ref)
	{
		const json_t *file = json_object_get(ref, "File");
		char mode[16];

		if (strcmp(swarm_text(ref, "SecretID"), id) != 0)
			continue;
		snprintf(mode, sizeof(mode), "%04o",
		         (unsigned)json_integer_value(json_object_get(file, "Mode")) &
		                 07777);
		json_array_append_new(out,
		                      json_pack("{s:s, s:s, s:s, s:s}", "target",
		                                swarm_text(file, "Name"), "uid",
		                                swarm_text(file, "UID"), "gid",
		                                swarm_text(file, "GID"), "mode", mode));
	}
	return out;
}

static bool selected(const struct import *x, const json_t *secret, const json_t *users)
{
	const char *stack = cli_flag(x->c, "stack"),
		   *want = cli_flag(x->c, "service-label");
	const json_t *u;
	size_t i;

	for (int k = 0; k < x->c->args; k++)
		if (strcmp(x->c->arg[k], swarm_text(import_spec(secret), "Name")) == 0)
			return true;
	if (x->c->args > 0 ||
	    (stack != NULL && strcmp(import_label(secret, IMPORT_STACK), stack) != 0))
		return false;
	json_array_foreach(users, i, u)
	{
		if (want != NULL && json_is_true(json_object_get(u, "labelled")))
			return true;
	}
	return want == NULL;
}

/* Services that refer to it: {name, refs, labelled}. */
static json_t *users_of(const struct import *x, const char *id)
{
	const char *want = cli_flag(x->c, "service-label");
	json_t *out = json_array(), *s;
	size_t i;

	json_array_foreach(x->services, i, s)
	{
		json_t *refs = refs_to(s, id);

		if (json_array_size(refs) > 0)
			json_array_append_new(
				out, json_pack("{s:s, s:O, s:b}", "name",
			                       swarm_text(import_spec(s), "Name"), "refs",
			                       refs, "labelled",
			                       want != NULL && has_label(s, want)));
		json_decref(refs);
	}
	return out;
}

/* ---- one of them ---- */

const char *import_name(const struct found *f)
{
	return swarm_text(import_spec(f->secret), "Name");
}

void import_say(struct found *f, const char *state, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	json_object_set_new(f->row, "state", json_string(state));
	json_object_set_new(f->row, "note", json_string(why));
}

static unsigned count_at(const struct found *f, const char *target)
{
	const json_t *u;
	unsigned n = 0;
	size_t i;

	json_array_foreach(f->users, i, u)
	{
		const json_t *refs = json_object_get(u, "refs");

		n += json_array_size(refs) == 1 &&
		     strcmp(swarm_text(json_array_get(refs, 0), "target"), target) == 0;
	}
	return n;
}

/* A binding has one place in all its services: that of most of them. */
static void choose_target(struct found *f)
{
	unsigned best = 0;
	const json_t *u;
	size_t i;

	f->target = NULL;
	json_array_foreach(f->users, i, u)
	{
		const json_t *ref = json_array_get(json_object_get(u, "refs"), 0);
		unsigned n = count_at(f, swarm_text(ref, "target"));

		if (n > best) {
			best = n;
			f->target = ref;
		}
	}
	json_array_foreach(f->users, i, u)
	{
		const json_t *refs = json_object_get(u, "refs");
		bool fits = f->target != NULL && json_array_size(refs) == 1 &&
		            strcmp(swarm_text(json_array_get(refs, 0), "target"),
		                   swarm_text(f->target, "target")) == 0;

		json_array_append(fits ? f->bound : json_object_get(f->row, "others"),
		                  json_object_get(u, "name"));
	}
}

/* What cannot be taken over whatever the vault has; true: that is so, and said. */
static bool is_out(const struct import *x, struct found *f)
{
	const json_t *spec = import_spec(f->secret);

	if (strcmp(import_label(f->secret, SWARM_LABEL_CLUSTER),
	           docker_api_cluster(x->docker)) == 0)
		import_say(f, "bound", "binding '%.128s', version %.20s",
		           import_label(f->secret, SWARM_LABEL_BINDING),
		           import_label(f->secret, SWARM_LABEL_VERSION));
	else if (json_is_object(json_object_get(spec, "Driver")))
		import_say(f, "driver", "a secret driver hands it out");
	else if (json_is_object(json_object_get(spec, "Templating")))
		import_say(f, "template",
		           "Docker fills it in: bind it with a template of "
		           "the vault's");
	else if (json_array_size(f->users) == 0)
		import_say(f, "unused", "no service refers to it");
	else if (f->target == NULL)
		import_say(f, "left",
		           "its services have it in two places each: bind it by "
		           "hand, which restarts them");
	else
		return false;
	return true;
}

/* Where it is to be in the vault; false: nobody has said. */
static bool place_of(const struct import *x, struct found *f)
{
	const char *path = cli_flag(x->c, "path"), *prefix = cli_flag(x->c, "prefix");
	size_t n = prefix != NULL ? strlen(prefix) : 0;

	while (n > 0 && prefix[n - 1] == '/')
		n--;
	if (path != NULL)
		snprintf(f->path, sizeof(f->path), "%s", path);
	else if (prefix != NULL)
		snprintf(f->path, sizeof(f->path), "%.*s/%s", (int)n, prefix,
		         import_name(f));
	else
		return false;
	json_object_set_new(f->row, "path", json_string(f->path));
	return true;
}

static void look_at(struct import *x, struct found *f)
{
	choose_target(f);
	if (is_out(x, f))
		return;
	if (place_of(x, f))
		import_take(x, f);
	else
		import_say(f, "found",
		           "Docker gives no value back: name where it is in the vault");
}

static void add_row(struct import *x, json_t *secret)
{
	struct found f = { .secret = json_incref(secret),
		           .users = users_of(x, swarm_text(secret, "ID")),
		           .bound = json_array() };
	const char *state;

	if (selected(x, secret, f.users)) {
		f.row = json_pack("{s:s, s:s, s:s, s:O, s:[]}", "secret", import_name(&f),
		                  "id", swarm_text(secret, "ID"), "stack",
		                  import_label(secret, IMPORT_STACK), "services", f.bound,
		                  "others");
		look_at(x, &f);
		state = swarm_text(f.row, "state");
		x->left += strcmp(state, "adopted") != 0 && strcmp(state, "bound") != 0;
		json_object_set(f.row, "target", json_object_get(f.target, "target"));
		json_array_append_new(x->rows, f.row);
	}
	json_decref(f.secret);
	json_decref(f.users);
	json_decref(f.bound);
}

/* ---- the command ---- */

static void print(const struct import *x)
{
	static const struct column columns[] = {
		{"SECRET",    "secret"  },
                { "STACK",    "stack"   },
                { "SERVICES", "services"},
		{ "TARGET",   "target"  },
                { "PATH",     "path"    },
                { "STATE",    "state"   },
		{ "NOTE",     "note"    },
	};
	const json_t *row;
	char cell[512];
	size_t i;

	if (x->c->format == CLI_JSON) {
		out_json(x->c, x->rows);
		return;
	}
	out_table(x->rows, columns, ARRAY_LEN(columns));
	json_array_foreach(x->rows, i, row)
	{
		const char *how = swarm_text(row, "how");

		if (json_array_size(json_object_get(row, "others")) > 0)
			say("%s: %s have it elsewhere, and are not bound",
			    swarm_text(row, "secret"),
			    out_scalar(json_object_get(row, "others"), cell,
			               sizeof(cell)));
		if (*how != '\0')
			say("%s: if nobody knows it any more, on a node that runs it: %s",
			    swarm_text(row, "secret"), how);
	}
}

static int check_flags(const struct cli *c, struct err *e)
{
	bool takes = cli_flag(c, "path") != NULL || cli_flag(c, "prefix") != NULL;

	if (cli_flag(c, "path") != NULL && cli_flag(c, "prefix") != NULL)
		return err_set(e, ERR_USAGE, "--path or --prefix, not both");
	if ((cli_flag(c, "path") != NULL || cli_flag(c, "name") != NULL) && c->args != 1)
		return err_set(e, ERR_USAGE, "--path and --name are of one secret");
	if (takes && cli_flag(c, "role") == NULL && cli_flag(c, "dry-run") == NULL)
		return err_set(e, ERR_USAGE, "--role: whose hosts may sync it?");
	return ERR_OK;
}

static int all_there(const struct import *x, struct err *e)
{
	for (int k = 0; k < x->c->args; k++) {
		const json_t *row;
		bool there = false;
		size_t i;

		json_array_foreach(x->rows, i, row) there =
			there || strcmp(swarm_text(row, "secret"), x->c->arg[k]) == 0;
		if (!there)
			return err_set(e, ERR_NOENT, "the Swarm has no secret '%.64s'",
			               x->c->arg[k]);
	}
	return ERR_OK;
}

static int survey(struct import *x, struct err *e)
{
	bool takes = cli_flag(x->c, "path") != NULL || cli_flag(x->c, "prefix") != NULL;
	json_t *secret;
	size_t i;
	int rc = docker_api_get(x->docker, "/secrets", &x->secrets, e);

	if (rc == ERR_OK)
		rc = docker_api_get(x->docker, "/services", &x->services, e);
	if (rc != ERR_OK)
		return rc;
	json_array_foreach(x->secrets, i, secret) add_row(x, secret);
	print(x);
	if ((rc = all_there(x, e)) != ERR_OK)
		return rc;
	if (takes && x->left > 0 && cli_flag(x->c, "dry-run") == NULL)
		return err_set(e, ERR_CONFLICT, "%u of %zu were not taken over", x->left,
		               json_array_size(x->rows));
	return ERR_OK;
}

int swarm_import_run(struct cli *c, struct err *e)
{
	struct import x = { .c = c, .rows = json_array() };
	int rc = check_flags(c, e);

	if (rc == ERR_OK)
		rc = docker_api_open(cli_flag(c, "docker-socket"), &x.docker, e);
	if (rc == ERR_OK)
		rc = survey(&x, e);
	json_decref(x.rows);
	json_decref(x.secrets);
	json_decref(x.services);
	docker_api_close(x.docker);
	return rc;
}
