/* SPDX-License-Identifier: Apache-2.0 */
/* binding_spec - what a definition says of a binding as a whole, by the rules of the
 * agent's own file (docs/agent.md). */
#include <signal.h>
#include <string.h>

#include "arena.h"
#include "binding_impl.h"

#define SECOND    1000ll
#define HOUR      (3600 * SECOND)
#define STALE_MAX (365ll * 24 * HOUR)

/* Docker's own rule for names of containers. */
static const char *bad_container(const char *s)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_.-";
	size_t n = strlen(s);

	return n < 2 || n > 128 || strspn(s, set) != n || strchr("_.-", s[0]) != NULL
	               ? "is no name of a container"
	               : NULL;
}

/* The two that cannot be caught tell nobody anything. */
static const char *bad_signal(const char *s)
{
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name != NULL && strcmp(name, s) == 0 && i != SIGKILL && i != SIGSTOP)
			return NULL;
	}
	return "must be the name of a signal that can be caught, such as HUP";
}

/* clang-format off */
static const char *const reloads[] = { "none", "signal", "restart", "exec", "exec-in", NULL };
static const char *const unhealthy[] = { "rollback", "keep", NULL };
static const char *const revokes[] = { "none", "signal", "stop", NULL };
static const char *const disconnects[] = { "keep", "wipe", NULL };
static const char *const expiries[] = { "keep_if_unreachable", "wipe", NULL };
static const char *const caches[] = { "none", "encrypted", NULL };
static const struct member members[] = {
	{ "containers",    MEMBER_TEXTS,  .max = 256, .check = bad_container },
	{ "reload",        MEMBER_CHOICE, .choices = reloads },
	{ "signal",        MEMBER_TEXT,   .check = bad_signal },
	{ "command",       MEMBER_TEXTS,  .max = 64 },
	{ "run_as",        MEMBER_TEXT,   .check = binding_bad_user },
	{ "timeout",       MEMBER_TIME,   SECOND, HOUR, NULL, NULL },
	{ "health",        MEMBER_TIME,   SECOND, HOUR, NULL, NULL },
	{ "settle",        MEMBER_TIME,   0, HOUR, NULL, NULL },
	{ "on_unhealthy",  MEMBER_CHOICE, .choices = unhealthy },
	{ "canary",        MEMBER_BOOL,   .check = NULL },
	{ "debounce",      MEMBER_TIME,   0, 60 * SECOND, NULL, NULL },
	{ "min_interval",  MEMBER_TIME,   0, 24 * HOUR, NULL, NULL },
	{ "splay",         MEMBER_TIME,   0, HOUR, NULL, NULL },
	{ "on_revoke",     MEMBER_CHOICE, .choices = revokes },
	{ "on_disconnect", MEMBER_CHOICE, .choices = disconnects },
	{ "wipe_after",    MEMBER_TIME,   0, STALE_MAX, NULL, NULL },
	{ "on_expiry",     MEMBER_CHOICE, .choices = expiries },
	{ "max_stale",     MEMBER_TIME,   0, STALE_MAX, NULL, NULL },
	{ "cache",         MEMBER_CHOICE, .choices = caches },
};
/* clang-format on */

static bool is(const struct value *spec, const char *key, const char *text)
{
	return value_is_str(value_get(spec, key), text);
}

static bool has(const struct value *spec, const char *key)
{
	const struct value *v = value_get(spec, key);

	return v != NULL && (v->type != V_ARRAY || v->len > 0);
}

static const char *bad_command(const struct value *spec)
{
	bool exec = is(spec, "reload", "exec"), exec_in = is(spec, "reload", "exec-in");
	const struct value *first = value_at(value_get(spec, "command"), 0);

	if ((exec || exec_in) && !has(spec, "command"))
		return "command is missing";
	if (!exec && !exec_in && has(spec, "command"))
		return "command goes with reload: exec or exec-in";
	if (exec && first->text[0] != '/')
		return "command: the first word must be an absolute path (no shell runs "
		       "it)";
	if (exec_in && first->len == 0)
		return "command: the first word is empty";
	if (has(spec, "run_as") && !exec)
		return "run_as goes with reload: exec";
	return NULL;
}

static const char *bad_together(const struct value *spec)
{
	bool wipes = is(spec, "on_disconnect", "wipe");
	const struct value *after = value_get(spec, "wipe_after");
	bool later = after != NULL && !value_is_str(after, "0s");

	if (has(spec, "signal") && !is(spec, "reload", "signal") &&
	    !is(spec, "on_revoke", "signal"))
		return "signal goes with reload: signal or on_revoke: signal";
	if (wipes && !later)
		return "on_disconnect: wipe needs wipe_after: when a connection ends for "
		       "a moment, nothing should go";
	if (!wipes && later)
		return "wipe_after goes with on_disconnect: wipe";
	return bad_command(spec);
}

int binding_take_spec(struct binding_take *t, const struct value *in, struct err *e)
{
	const char *bad;
	int rc = ERR_OK;

	t->spec = value_object(t->a);
	t->unknown = value_array(t->a);
	if (t->spec == NULL || t->unknown == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(members); i++)
		rc = binding_member(t, in, &members[i], "", t->spec, e);
	if (rc != ERR_OK)
		return rc;
	if ((bad = bad_together(t->spec)) != NULL)
		return err_set(e, ERR_INVALID, "%s", bad);
	if ((rc = binding_files(t, in, e)) != ERR_OK)
		return rc;
	if (arena_failed(t->a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (value_size(t->spec) > BINDING_SPEC_MAX)
		return err_set(e, ERR_INVALID, "the definition has more than %u KiB",
		               BINDING_SPEC_MAX / 1024);
	return ERR_OK;
}
