/* SPDX-License-Identifier: Apache-2.0 */
/* binding_member - one member of a definition: its type, its range, and its one form. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "binding_impl.h"
#include "duration.h"
#include "text.h"

#define MODE_MAX 0777

struct place {
	const char *where;
	const struct member *m;
};

static int PRINTF(3, 4) wrong(struct err *e, const struct place *p, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_INVALID, "%s%s: %s", p->where, p->m->name, what);
}

/* As for a file of the agent: a plain name in a directory. */
const char *binding_bad_name(const char *s)
{
	if (s[0] == '\0' || strlen(s) > 255 || strchr(s, '/') != NULL)
		return "must be a plain name of 1 to 255 bytes without '/'";
	if (strcmp(s, ".") == 0 || strncmp(s, "..", 2) == 0)
		return "must not be '.' or begin with '..'";
	return NULL;
}

/* Who that is, only the host knows. */
const char *binding_bad_user(const char *s)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789._-$";
	size_t n = strlen(s);

	return n == 0 || n > 64 || s[0] == '-' || strspn(s, set) != n
	               ? "must be a name or a number"
	               : NULL;
}

/* Line feeds and tabs are the only control characters of a template. */
static bool lines_ok(const char *s, size_t n)
{
	for (size_t at = 0; at < n;) {
		size_t line = at;

		while (line < n && s[line] != '\n' && s[line] != '\t')
			line++;
		if (!text_printable(s + at, line - at))
			return false;
		at = line + 1;
	}
	return true;
}

/* NULL and ${e} on failure. */
static struct value *text_of(struct binding_take *t, const struct value *v,
                             const struct place *p, struct err *e)
{
	bool lines = p->m->type == MEMBER_LINES;
	size_t most = lines ? BINDING_LINES_MAX : BINDING_TEXT_MAX;
	const char *s = value_to_cstr(v, t->a), *bad;

	if (s == NULL || v->len > most ||
	    !(lines ? lines_ok(s, v->len) : text_printable(s, v->len))) {
		(void)wrong(e, p, "printable text of at most %zu bytes is needed", most);
		return NULL;
	}
	bad = p->m->check != NULL ? p->m->check(s) : NULL;
	if (bad != NULL) {
		(void)wrong(e, p, "%s", bad);
		return NULL;
	}
	return value_str(t->a, s);
}

static struct value *texts_of(struct binding_take *t, const struct value *v,
                              const struct place *p, struct err *e)
{
	struct value *list = value_array(t->a), *item;

	if (v->type != V_ARRAY) {
		value_add(list, text_of(t, v, p, e));
		return list != NULL && list->len == 1 ? list : NULL;
	}
	if (v->len > p->m->max) {
		(void)wrong(e, p, "at most %lld", (long long)p->m->max);
		return NULL;
	}
	for (const struct value *x = v->first; x != NULL; x = x->next) {
		if ((item = text_of(t, x, p, e)) == NULL)
			return NULL;
		value_add(list, item);
	}
	return list;
}

static struct value *bool_of(struct binding_take *t, const struct value *v,
                             const struct place *p, struct err *e)
{
	bool b;

	if (value_to_bool(v, &b) == 0)
		return value_bool(t->a, b);
	(void)wrong(e, p, "must be true or false");
	return NULL;
}

static struct value *time_of(struct binding_take *t, const struct value *v,
                             const struct place *p, struct err *e)
{
	char text[DURATION_TEXT_MAX], least[DURATION_TEXT_MAX], most[DURATION_TEXT_MAX];
	int64_t ms;
	struct err why;

	duration_format(p->m->min, least);
	duration_format(p->m->max, most);
	if ((v->type != V_STRING && v->type != V_NUMBER) || v->len == 0 ||
	    duration_parse(v->text, v->len, &ms, &why) != ERR_OK || ms < p->m->min ||
	    ms > p->m->max) {
		(void)wrong(e, p, "must be a duration from %s to %s", least, most);
		return NULL;
	}
	duration_format(ms, text);
	return value_strdup(t->a, text, strlen(text));
}

static struct value *mode_of(struct binding_take *t, const struct value *v,
                             const struct place *p, struct err *e)
{
	unsigned mode = 0;
	bool ok = (v->type == V_STRING || v->type == V_NUMBER) && v->len > 0 &&
	          v->len <= 4;

	for (size_t i = 0; ok && i < v->len; i++) {
		ok = v->text[i] >= '0' && v->text[i] <= '7';
		mode = mode * 8 + (unsigned)(v->text[i] - '0');
	}
	if (ok && mode <= MODE_MAX)
		return value_str(t->a, arena_printf(t->a, "%04o", mode));
	(void)wrong(e, p, "must be octal digits, at most 0777, such as \"0440\"");
	return NULL;
}

static struct value *choice_of(struct binding_take *t, const struct value *v,
                               const struct place *p, struct err *e)
{
	char all[128] = "";
	size_t n = 0;

	for (const char *const *s = p->m->choices; *s != NULL; s++) {
		if (value_is_str(v, *s))
			return value_str(t->a, *s);
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n > 0 ? ", " : "",
		                      *s);
	}
	(void)wrong(e, p, "must be one of %s", all);
	return NULL;
}

static struct value *int_of(struct binding_take *t, const struct value *v,
                            const struct place *p, struct err *e)
{
	int64_t n;

	if (value_to_int(v, &n) == 0 && n >= p->m->min && n <= p->m->max)
		return value_int(t->a, n);
	(void)wrong(e, p, "must be a number from %lld to %lld", (long long)p->m->min,
	            (long long)p->m->max);
	return NULL;
}

int binding_member(struct binding_take *t, const struct value *in, const struct member *m,
                   const char *where, struct value *out, struct err *e)
{
	static struct value *(*const takes[])(struct binding_take *, const struct value *,
	                                      const struct place *, struct err *) = {
		[MEMBER_TEXT] = text_of,     [MEMBER_LINES] = text_of,
		[MEMBER_TEXTS] = texts_of,   [MEMBER_BOOL] = bool_of,
		[MEMBER_TIME] = time_of,     [MEMBER_MODE] = mode_of,
		[MEMBER_CHOICE] = choice_of, [MEMBER_INT] = int_of,
	};
	const struct value *v = value_get(in, m->name);
	struct value *taken;

	if (v == NULL || v->type == V_NULL)
		return ERR_OK;
	e->code = ERR_OK;
	taken = takes[m->type](t, v, &(struct place){ where, m }, e);
	if (taken == NULL)
		return e->code != ERR_OK ? (int)e->code
		                         : err_set(e, ERR_NOMEM, "out of memory");
	value_set(out, m->name, taken);
	return ERR_OK;
}
