/* SPDX-License-Identifier: Apache-2.0 */
/* binding_files - the rows of "files" of a definition, by the rules of the agent's own
 * file (docs/agent.md). */
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "binding_impl.h"
#include "path.h"

#define FIELDS_MAX  256
#define UNKNOWN_MAX 16u

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

static const char *bad_template(const char *s)
{
	(void)s;
	return "the vault's templates are given as template_text: a file of the host is "
	       "none of its own";
}

/* clang-format off */
static const char *const formats[] = { "raw", "env", "json", "template", NULL };
static const char *const quotes[] = { "shell", "none", NULL };
static const struct member members[] = {
	{ "path",          MEMBER_TEXT,   .check = bad_path },
	{ "field",         MEMBER_TEXT,   .check = bad_field },
	{ "fields",        MEMBER_TEXTS,  .max = FIELDS_MAX, .check = bad_field },
	{ "format",        MEMBER_CHOICE, .choices = formats },
	{ "quote",         MEMBER_CHOICE, .choices = quotes },
	{ "template",      MEMBER_TEXT,   .check = bad_template },
	{ "template_text", MEMBER_LINES,  .check = NULL },
	{ "name",          MEMBER_TEXT,   .check = binding_bad_name },
	{ "owner",         MEMBER_TEXT,   .check = binding_bad_user },
	{ "group",         MEMBER_TEXT,   .check = binding_bad_user },
	{ "mode",          MEMBER_MODE,   .check = NULL },
	{ "dir_mode",      MEMBER_MODE,   .check = NULL },
};
/* clang-format on */

static bool has(const struct value *f, const char *name)
{
	return value_get(f, name) != NULL;
}

static bool is_known(const struct value *m)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (strlen(members[i].name) == m->key_len &&
		    memcmp(members[i].name, m->key, m->key_len) == 0)
			return true;
	return false;
}

static void note_unknown(struct binding_take *t, const struct value *in,
                         const char *where)
{
	for (const struct value *m = in->first; m != NULL; m = m->next)
		if (!is_known(m) && t->unknown->len < UNKNOWN_MAX)
			value_add(t->unknown,
			          value_str(t->a, arena_printf(t->a, "%s%.*s", where,
			                                       (int)(m->key_len < 64
			                                                     ? m->key_len
			                                                     : 64),
			                                       m->key)));
}

static const char *format_of(const struct value *f)
{
	const struct value *v = value_get(f, "format");

	if (v != NULL)
		return v->text;
	return has(f, "template_text") ? "template" : "raw";
}

/* Items of an array of texts, or members ${key} of an array of objects, that are there
 * twice. */
static const struct value *twice(const struct value *list, const char *key)
{
	for (const struct value *v = list->first; v != NULL; v = v->next) {
		const struct value *x = key != NULL ? value_get(v, key) : v;

		for (const struct value *w = list->first; w != v; w = w->next)
			if (value_equal(x, key != NULL ? value_get(w, key) : w))
				return x;
	}
	return NULL;
}

static const char *bad_template_row(const struct value *f)
{
	if (!has(f, "template_text"))
		return "template_text is missing";
	if (has(f, "path"))
		return "a template has no path: it names its secrets";
	if (has(f, "field") || has(f, "fields"))
		return "a template has no field";
	return NULL;
}

static const char *bad_secret_row(const struct value *f, bool raw)
{
	if (has(f, "template_text"))
		return "a template has no other format";
	if (!has(f, "path"))
		return "path is missing";
	if (raw && !has(f, "field"))
		return "field is missing (the format is raw)";
	if (raw && has(f, "fields"))
		return "fields goes with the formats env and json: raw is field";
	if (!raw && has(f, "field"))
		return "field goes with the format raw: this one has fields";
	if (has(f, "fields") && twice(value_get(f, "fields"), NULL) != NULL)
		return "a field is there twice";
	return NULL;
}

/* Which members go together; a raw file without a name has that of its field. */
static int check_row(struct binding_take *t, struct value *f, const char *where,
                     struct err *e)
{
	const char *format = format_of(f), *bad;
	bool raw = strcmp(format, "raw") == 0;

	if (strcmp(format, "template") == 0)
		bad = bad_template_row(f);
	else
		bad = bad_secret_row(f, raw);
	if (bad == NULL && value_is_str(value_get(f, "quote"), "none") &&
	    strcmp(format, "env") != 0)
		bad = "quote goes with format: env";
	if (bad == NULL && !raw && !has(f, "name"))
		bad = "name is missing";
	if (bad == NULL && !has(f, "name")) {
		const char *field = value_cstr_or(t->a, f, "field", "");

		if (binding_bad_name(field) != NULL)
			bad = "name is missing, and the field's is none for a file";
		value_set_str(t->a, f, "name", field);
	}
	return bad == NULL ? ERR_OK : err_set(e, ERR_INVALID, "%s %s", where, bad);
}

static int take_row(struct binding_take *t, const struct value *in, size_t i,
                    struct value *list, struct err *e)
{
	struct value *f = value_object(t->a);
	char where[32], row[32];
	int rc = ERR_OK;

	snprintf(where, sizeof(where), "files[%zu].", i);
	snprintf(row, sizeof(row), "files[%zu]:", i);
	if (in->type != V_OBJECT)
		return err_set(e, ERR_INVALID, "%s must be an object", row);
	for (size_t k = 0; rc == ERR_OK && k < ARRAY_LEN(members); k++)
		rc = binding_member(t, in, &members[k], where, f, e);
	if (rc != ERR_OK || (rc = check_row(t, f, row, e)) != ERR_OK)
		return rc;
	note_unknown(t, in, where);
	value_add(list, f);
	return ERR_OK;
}

/* The directory is one, whatever its files are. */
static bool one_dir_mode(const struct value *files)
{
	const char *first = NULL;

	for (const struct value *f = files->first; f != NULL; f = f->next) {
		const struct value *v = value_get(f, "dir_mode");
		const char *mode = v != NULL ? v->text : "0711";

		if (first != NULL && strncmp(first, mode, 4) != 0)
			return false;
		first = mode;
	}
	return true;
}

int binding_files(struct binding_take *t, const struct value *in, struct err *e)
{
	const struct value *given = value_get(in, "files"), *same;
	struct value *list = value_array(t->a);
	size_t i = 0;
	int rc;

	if (given == NULL || given->type != V_ARRAY || given->len == 0 ||
	    given->len > BINDING_FILES)
		return err_set(e, ERR_INVALID, "files: an array of 1 to %u is needed",
		               BINDING_FILES);
	for (const struct value *v = given->first; v != NULL; v = v->next)
		if ((rc = take_row(t, v, i++, list, e)) != ERR_OK)
			return rc;
	if ((same = twice(list, "name")) != NULL)
		return err_set(e, ERR_INVALID, "files: \"%.*s\" is there twice",
		               (int)(same->len < 100 ? same->len : 100), same->text);
	if (!one_dir_mode(list))
		return err_set(e, ERR_INVALID, "files: two different values of dir_mode");
	value_set(t->spec, "files", list);
	return ERR_OK;
}
