/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/deliver/generation.h"
#include "agent/settings.h"
#include "hook_impl.h"

#define TIMEOUT_MIN_MS 1000
#define TIMEOUT_MAX_MS (3600LL * 1000)

bool hook_wanted(const struct settings *s)
{
	bool any = s->allowed_commands.n > 0;

	for (size_t i = 0; i < s->bindings.n; i++)
		any |= settings_bindings(s)[i].reload == RELOAD_EXEC;
	return any;
}

static bool same_command(const struct settings_binding *a,
                         const struct settings_binding *b)
{
	const char *const *x = a->command.items, *const *y = b->command.items;
	bool same = a->reload == b->reload && a->run_uid == b->run_uid &&
	            a->run_gid == b->run_gid && a->command.n == b->command.n;

	for (size_t i = 0; same && i < a->command.n; i++)
		same = strcmp(x[i], y[i]) == 0;
	return same;
}

/* The number of the command, s->bindings.n: it is not one of the host's own.  Names do
 * not matter: the agent's settings may have changed since. */
static size_t index_of(const struct settings *s, const struct settings_binding *b)
{
	size_t i = 0;

	while (i < s->bindings.n && !same_command(&settings_bindings(s)[i], b))
		i++;
	return i;
}

struct value *hook_order_put(struct arena *a, const struct settings *s,
                             const struct settings_binding *b, unsigned generation)
{
	const char *const *command = b->command.items;
	struct value *o = value_object(a), *argv = value_array(a);
	size_t index = index_of(s, b);

	value_set_int(a, o, "generation", generation);
	value_set_str(a, o, "binding", b->name);
	value_set_int(a, o, "timeout_ms", b->timeout_ms);
	if (index < s->bindings.n) {
		value_set_int(a, o, "index", (int64_t)index);
		return o;
	}
	for (size_t i = 0; i < b->command.n; i++)
		value_add(argv, value_str(a, command[i]));
	value_set(o, "argv", argv);
	value_set_int(a, o, "uid", b->run_uid);
	return o;
}

static int copy_argv(struct arena *a, const char *const *from, size_t n,
                     struct hook_order *o, struct err *e)
{
	const char **argv = arena_alloc(a, (n + 1) * sizeof(*argv));

	if (argv == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		argv[i] = from[i];
	o->argv = argv;
	return ERR_OK;
}

static int take_own(struct arena *a, const struct settings *s, int64_t index,
                    struct hook_order *o, struct err *e)
{
	const struct settings_binding *b;

	if (index < 0 || (size_t)index >= s->bindings.n ||
	    settings_bindings(s)[index].reload != RELOAD_EXEC)
		return err_set(e, ERR_DENIED, "no binding of this host has that command");
	b = &settings_bindings(s)[index];
	o->uid = b->run_uid;
	o->gid = b->run_gid;
	return copy_argv(a, b->command.items, b->command.n, o, e);
}

static int take_argv(struct arena *a, const struct value *list, struct hook_order *o,
                     struct err *e)
{
	const char *argv[HOOK_ARGS_MAX];
	size_t n = 0, bytes = 0;

	if (list == NULL || list->type != V_ARRAY || list->len == 0 ||
	    list->len > HOOK_ARGS_MAX)
		return err_set(e, ERR_DENIED, "a command has 1 to %u arguments",
		               HOOK_ARGS_MAX);
	for (const struct value *v = list->first; v != NULL; v = v->next) {
		argv[n] = value_to_cstr(v, a);
		if (argv[n] == NULL)
			return err_set(e, ERR_DENIED, "an argument is no text");
		bytes += strlen(argv[n++]) + 1;
	}
	if (bytes > HOOK_BYTES_MAX)
		return err_set(e, ERR_DENIED, "its arguments have more than %u bytes",
		               HOOK_BYTES_MAX);
	return copy_argv(a, argv, n, o, e);
}

static int may_run(const struct settings *s, const struct hook_order *o, struct err *e)
{
	const char *const *allowed = s->allowed_commands.items;
	bool ok = false;

	for (size_t i = 0; !ok && i < s->allowed_commands.n; i++)
		ok = strcmp(allowed[i], o->argv[0]) == 0;
	if (!ok)
		return err_set(e, ERR_DENIED, "the command is not in allowed_commands");
	if (o->uid == 0 && !s->allowed_root)
		return err_set(
			e, ERR_DENIED,
			"commands of the vault's bindings do not run as root here");
	return ERR_OK;
}

static int take_granted(struct arena *a, const struct settings *s, const struct value *v,
                        struct hook_order *o, struct err *e)
{
	int64_t uid = value_int_or(v, "uid", -1);
	int rc;

	if (uid < 0 || uid >= UINT32_MAX)
		return err_set(e, ERR_DENIED, "a command without a user");
	o->uid = (uid_t)uid;
	o->own_gid = true;
	if ((rc = take_argv(a, value_get(v, "argv"), o, e)) != ERR_OK)
		return rc;
	return may_run(s, o, e);
}

static int take_common(struct arena *a, const struct value *v, struct hook_order *o,
                       struct err *e)
{
	int64_t generation = value_int_or(v, "generation", -1);

	if (v == NULL || v->type != V_OBJECT || generation < 0 || generation > UINT32_MAX)
		return err_set(e, ERR_INVALID, "what is asked for cannot be read");
	o->generation = (unsigned)generation;
	o->binding = value_cstr_or(a, v, "binding", "");
	o->timeout_ms = value_int_or(v, "timeout_ms", 0);
	if (generation_name_check(o->binding, "binding", e) != ERR_OK ||
	    o->timeout_ms < TIMEOUT_MIN_MS || o->timeout_ms > TIMEOUT_MAX_MS)
		return err_set(e, ERR_DENIED, "a command without a binding or a time");
	return ERR_OK;
}

int hook_order_take(struct arena *a, const struct settings *s, const struct value *v,
                    struct hook_order *o, struct err *e)
{
	int rc;

	if ((rc = take_common(a, v, o, e)) != ERR_OK)
		return rc;
	rc = value_get(v, "index") != NULL
	             ? take_own(a, s, value_int_or(v, "index", -1), o, e)
	             : take_granted(a, s, v, o, e);
	if (rc != ERR_OK)
		return rc;
	if (geteuid() != 0 && o->uid != geteuid())
		return err_set(e, ERR_DENIED, "only root runs commands as somebody else");
	o->dir = arena_printf(a, "%s/%s", s->run_dir, o->binding);
	return o->dir != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}
