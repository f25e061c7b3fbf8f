/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file read once more, while the agent runs. */
#include <string.h>

#include "settings_impl.h"

/* What may change then.  For the rest something was opened, forked or locked at the
 * start. */
static bool may_change(const char *key)
{
	static const char *const names[] = { "files", "bindings", "grace", "max_stale",
		                             "log_level" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], key) == 0)
			return true;
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_texts(const struct config_list *a, const struct config_list *b)
{
	const char *const *x = a->items, *const *y = b->items;

	for (size_t i = 0; a->n == b->n && i < a->n; i++)
		if (strcmp(x[i], y[i]) != 0)
			return false;
	return a->n == b->n;
}

static bool same_scalar(enum config_type type, const char *a, const char *b)
{
	switch (type) {
	case CONFIG_STRING:
		return same_text(*(const char *const *)(const void *)a,
		                 *(const char *const *)(const void *)b);
	case CONFIG_STRINGS:
		return same_texts((const void *)a, (const void *)b);
	case CONFIG_BOOL:
		return memcmp(a, b, sizeof(bool)) == 0;
	case CONFIG_CHOICE:
		return memcmp(a, b, sizeof(int)) == 0;
	case CONFIG_MODE:
		return memcmp(a, b, sizeof(mode_t)) == 0;
	case CONFIG_INT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		return memcmp(a, b, sizeof(int64_t)) == 0;
	case CONFIG_OBJECT:
	case CONFIG_OBJECTS:
		break;
	}
	return false;
}

static bool same_object(const struct config_schema *schema, const char *a, const char *b)
{
	for (size_t i = 0; i < schema->n; i++) {
		const struct config_key *k = &schema->keys[i];

		if (!same_scalar(k->type, a + k->offset, b + k->offset))
			return false;
	}
	return true;
}

static bool is_same(const struct config_key *k, const char *a, const char *b)
{
	return k->type == CONFIG_OBJECT
	               ? same_object(k->sub, a + k->offset, b + k->offset)
	               : same_scalar(k->type, a + k->offset, b + k->offset);
}

static int check_fixed(const struct settings *start, const struct settings *next,
                       struct err *e)
{
	for (size_t i = 0; i < settings_schema.n; i++) {
		const struct config_key *k = &settings_schema.keys[i];

		if (!may_change(k->name) &&
		    !is_same(k, (const char *)start, (const char *)next))
			return err_set(e, ERR_USAGE,
			               "%s cannot change while the agent runs", k->name);
	}
	return ERR_OK;
}

static bool same_command(const struct settings_binding *a,
                         const struct settings_binding *b)
{
	return a->reload == b->reload && a->run_uid == b->run_uid &&
	       a->run_gid == b->run_gid && same_texts(&a->command, &b->command);
}

/* The process that runs commands knows those of the start. */
static int check_commands(const struct settings *start, const struct settings *next,
                          struct err *e)
{
	const struct settings_binding *b = settings_bindings(next);

	for (size_t i = 0; i < next->bindings.n; i++) {
		bool known = b[i].reload != RELOAD_EXEC;

		for (size_t j = 0; !known && j < start->bindings.n; j++)
			known = same_command(&b[i], &settings_bindings(start)[j]);
		if (!known)
			return err_set(
				e, ERR_USAGE,
				"binding '%s': a command cannot be added while the "
				"agent runs",
				b[i].name);
	}
	return ERR_OK;
}

int settings_again(struct arena *a, const struct settings_source *from,
                   const struct settings *start, struct settings *next, struct err *e)
{
	struct settings now;
	int rc;

	if ((rc = settings_read(a, from, &now, e)) != ERR_OK ||
	    (rc = check_fixed(start, &now, e)) != ERR_OK ||
	    (rc = check_commands(start, &now, e)) != ERR_OK ||
	    (rc = settings_read_templates(a, &now, e)) != ERR_OK)
		return rc;
	*next = now;
	return ERR_OK;
}
