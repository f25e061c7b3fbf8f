/* SPDX-License-Identifier: Apache-2.0 */
/* swarm_spec - what a definition may say. */
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "binding_impl.h"
#include "path.h"
#include "swarm.h"

#define SECOND       1000ll
#define HOUR         (3600 * SECOND)
#define TARGETS_MAX  4u
#define TARGET_MAX   255u
#define SERVICES_MAX 64
#define FIELDS_MAX   256
#define ID_MAX       ((int64_t)UINT32_MAX - 1)

static const char *bad_path(const char *s)
{
	struct err e;
	size_t n = strlen(s);

	if (path_check(s, n, &e) != ERR_OK || s[n - 1] == '/' || strchr(s, '/') == NULL)
		return "must name one secret, such as secret/app/db";
	return NULL;
}

static const char *bad_field(const char *s)
{
	return s[0] == '\0' ? "must not be empty" : NULL;
}

bool swarm_cluster_ok(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= SWARM_CLUSTER_MAX &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789") == n;
}

static const char *bad_cluster(const char *s)
{
	return swarm_cluster_ok(s) ? NULL
	                           : "must be the id of a Swarm (docker info: ClusterID)";
}

/* Docker's own rule for names. */
static const char *bad_service(const char *s)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_.-";
	size_t n = strlen(s);

	return n == 0 || n > SWARM_NAME_MAX || strspn(s, set) != n ||
	                       strchr("_.-", s[0]) != NULL
	               ? "is no name or id of a service"
	               : NULL;
}

/* Docker would let it climb out of /run/secrets. */
static const char *bad_target(const char *s)
{
	static const char why[] =
		"must be a file below /run/secrets, or an absolute path";
	const char *at = s[0] == '/' ? s + 1 : s;

	if (s[0] == '\0' || strlen(s) > TARGET_MAX)
		return why;
	for (;;) {
		size_t n = strcspn(at, "/");

		if (n == 0 || (n == 1 && at[0] == '.') ||
		    (n == 2 && strncmp(at, "..", 2) == 0))
			return why;
		if (at[n] == '\0')
			return NULL;
		at += n + 1;
	}
}

static bool is_time(const char *s)
{
	return s[0] >= '0' && s[0] <= '2' && s[1] >= '0' &&
	       s[1] <= (s[0] == '2' ? '3' : '9') && s[2] == ':' && s[3] >= '0' &&
	       s[3] <= '5' && s[4] >= '0' && s[4] <= '9';
}

static const char *bad_window(const char *s)
{
	if (s[0] == '\0')
		return NULL;
	if (strlen(s) != 11 || !is_time(s) || s[5] != '-' || !is_time(s + 6) ||
	    strncmp(s, s + 6, 5) == 0)
		return "must be HH:MM-HH:MM (UTC), such as 22:00-04:30";
	return NULL;
}

/* clang-format off */
static const char *const formats[] = { "raw", "env", "json", "template", NULL };
static const char *const quotes[] = { "shell", "none", NULL };
static const char *const jobs[] = { "never", "next-run", NULL };
static const char *const modes[] = { "restart", "driver", NULL };
static const struct member members[] = {
	{ "path",         MEMBER_TEXT,   .check = bad_path },
	{ "cluster",      MEMBER_TEXT,   .check = bad_cluster },
	{ "format",       MEMBER_CHOICE, .choices = formats },
	{ "field",        MEMBER_TEXT,   .check = bad_field },
	{ "fields",       MEMBER_TEXTS,  .max = FIELDS_MAX, .check = bad_field },
	{ "quote",        MEMBER_CHOICE, .choices = quotes },
	{ "template_text", MEMBER_LINES, .check = bad_field },
	{ "services",     MEMBER_TEXTS,  .max = SERVICES_MAX, .check = bad_service },
	{ "window",       MEMBER_TEXT,   .check = bad_window },
	{ "max_services", MEMBER_INT,    1, 64, NULL, NULL },
	{ "keep",         MEMBER_INT,    1, 20, NULL, NULL },
	{ "deadline",     MEMBER_TIME,   0, 24 * HOUR, NULL, NULL },
	{ "soak",         MEMBER_TIME,   0, 24 * HOUR, NULL, NULL },
	{ "gate",         MEMBER_TIME,   SECOND, 24 * HOUR, NULL, NULL },
	{ "jobs",         MEMBER_CHOICE, .choices = jobs },
	{ "mode",         MEMBER_CHOICE, .choices = modes },
	{ "enforce",      MEMBER_BOOL,   .check = NULL },
};
static const struct member target_members[] = {
	{ "target", MEMBER_TEXT, .check = bad_target },
	{ "uid",    MEMBER_INT,  0, ID_MAX, NULL, NULL },
	{ "gid",    MEMBER_INT,  0, ID_MAX, NULL, NULL },
	{ "mode",   MEMBER_MODE, .check = NULL },
};
/* What is said of each where nothing was. */
static const struct { const char *name, *text; int64_t n; } defaults[] = {
	{ "format", "raw", 0 }, { "quote", "shell", 0 }, { "window", "", 0 },
	{ "max_services", NULL, 1 }, { "keep", NULL, 2 }, { "deadline", "0s", 0 },
	{ "soak", "1m0s", 0 }, { "gate", "15m0s", 0 }, { "jobs", "never", 0 },
	{ "mode", "restart", 0 },
};
/* clang-format on */

static bool has(const struct value *v, const char *key)
{
	return value_get(v, key) != NULL;
}

static bool is_empty(const struct value *v, const char *key)
{
	return !has(v, key) || value_get(v, key)->len == 0;
}

static const char *bad_together(const struct value *spec)
{
	const struct value *format = value_get(spec, "format");
	bool raw = format == NULL || value_is_str(format, "raw");
	bool template = value_is_str(format, "template");

	if (!has(spec, "path"))
		return "path is missing";
	if (template != has(spec, "template_text"))
		return template ? "template_text is missing (the format is template)"
		                : "template_text goes with the format template";
	if (template && (has(spec, "field") || has(spec, "fields")))
		return "a template has no field: it names them";
	if (raw && !has(spec, "field"))
		return "field is missing (the format is raw)";
	if (raw && has(spec, "fields"))
		return "fields goes with the formats env and json: raw is field";
	if (!raw && has(spec, "field"))
		return "field goes with the format raw: this one has fields";
	/* Labels are a request, and a driver is asked when nobody can be asked back. */
	if (value_is_str(value_get(spec, "mode"), "driver") && is_empty(spec, "services"))
		return "services are missing: in the mode driver they alone get it";
	if (value_is_str(value_get(spec, "quote"), "none") &&
	    !value_is_str(format, "env"))
		return "quote goes with format: env";
	return NULL;
}

static void add_defaults(struct arena *a, struct value *spec)
{
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		if (has(spec, defaults[i].name))
			continue;
		if (defaults[i].text != NULL)
			value_set_str(a, spec, defaults[i].name, defaults[i].text);
		else
			value_set_int(a, spec, defaults[i].name, defaults[i].n);
	}
	if (!has(spec, "enforce"))
		value_set_bool(a, spec, "enforce", false);
	if (!has(spec, "services"))
		value_set(spec, "services", value_array(a));
}

/* Users are numbers (with a name, Docker fails when a task starts), written as texts. */
static struct value *complete(struct arena *a, const struct value *given,
                              const char *name)
{
	struct value *t = value_object(a);

	value_set_str(a, t, "target", value_cstr_or(a, given, "target", name));
	value_set_str(a, t, "uid",
	              arena_printf(a, "%lld", (long long)value_int_or(given, "uid", 0)));
	value_set_str(a, t, "gid",
	              arena_printf(a, "%lld", (long long)value_int_or(given, "gid", 0)));
	value_set_str(a, t, "mode", value_cstr_or(a, given, "mode", "0400"));
	return t;
}

static bool is_there(const struct value *list, const struct value *target)
{
	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (value_equal(value_get(v, "target"), target))
			return true;
	return false;
}

static int take_target(struct binding_take *t, const char *name, const struct value *in,
                       struct value *list, struct err *e)
{
	struct value *given = value_object(t->a), *out;
	char where[32];
	int rc = ERR_OK;

	snprintf(where, sizeof(where), "targets[%zu].", (size_t)list->len);
	if (in->type != V_OBJECT)
		return err_set(e, ERR_INVALID, "targets: objects are needed");
	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(target_members); i++)
		rc = binding_member(t, in, &target_members[i], where, given, e);
	if (rc != ERR_OK)
		return rc;
	out = complete(t->a, given, name);
	if (is_there(list, value_get(out, "target")))
		return err_set(e, ERR_INVALID, "%starget: it is there twice", where);
	value_add(list, out);
	return ERR_OK;
}

static int take_targets(struct binding_take *t, const char *name, const struct value *in,
                        struct err *e)
{
	const struct value *given = value_get(in, "targets");
	struct value *list = value_array(t->a);
	int rc = ERR_OK;

	value_set(t->spec, "targets", list);
	if (given == NULL || given->type == V_NULL)
		return take_target(t, name, value_object(t->a), list, e);
	if (given->type != V_ARRAY || given->len == 0 || given->len > TARGETS_MAX)
		return err_set(e, ERR_INVALID, "targets: an array of 1 to %u is needed",
		               TARGETS_MAX);
	for (const struct value *v = given->first; rc == ERR_OK && v != NULL; v = v->next)
		rc = take_target(t, name, v, list, e);
	return rc;
}

int swarm_take_spec(struct binding_take *t, const char *name, const struct value *in,
                    struct err *e)
{
	const char *bad;
	int rc = ERR_OK;

	t->spec = value_object(t->a);
	if (t->spec == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(members); i++)
		rc = binding_member(t, in, &members[i], "", t->spec, e);
	if (rc != ERR_OK || (rc = take_targets(t, name, in, e)) != ERR_OK)
		return rc;
	if ((bad = bad_together(t->spec)) != NULL)
		return err_set(e, ERR_INVALID, "%s", bad);
	add_defaults(t->a, t->spec);
	return arena_failed(t->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}
