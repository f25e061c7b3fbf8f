/* SPDX-License-Identifier: Apache-2.0 */
#include "ignore.h"

#include <stdio.h>
#include <string.h>

#include "place.h"
#include "scanner/whole_file.h"

#define NAME_HEX 32u /* digits of an id or a fingerprint */

struct source {
	char *name, *dir;
};

struct line {
	unsigned source, number;
	char *rule;              /* this alone, or NULL */
	char *glob;              /* NULL: everywhere */
	char name[NAME_HEX + 1]; /* of a finding, or "" */
	bool negated, anchored, directory;
};

struct ignore {
	struct source *source;
	unsigned sources;
	struct line *line;
	size_t n, room;
};

struct ignore *ignore_new(void)
{
	return calloc(1, sizeof(struct ignore));
}

void ignore_free(struct ignore *i)
{
	if (i == NULL)
		return;
	for (unsigned k = 0; k < i->sources; k++) {
		free(i->source[k].name);
		free(i->source[k].dir);
	}
	for (size_t k = 0; k < i->n; k++) {
		free(i->line[k].rule);
		free(i->line[k].glob);
	}
	free(i->source);
	free(i->line);
	free(i);
}

/* --- reading ------------------------------------------------------------------------ */

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

static int take_glob(struct line *l, const char *s, size_t n, struct err *e)
{
	if (n > 0 && s[n - 1] == '/') {
		l->directory = true;
		n--;
	}
	l->anchored = n > 0 && memchr(s, '/', n) != NULL;
	if (n > 0 && *s == '/') {
		s++;
		n--;
	}
	if (n == 0)
		return err_set(e, ERR_INVALID, "a pattern that is empty");
	return (l->glob = strndup(s, n)) != NULL ? ERR_OK : no_memory(e);
}

/* The text may end with it, without a NUL. */
static bool is_name(const char *s, size_t n)
{
	size_t digits = 0;

	while (digits < n && s[digits] != '\0' &&
	       strchr("0123456789abcdef", s[digits]) != NULL)
		digits++;
	return n == NAME_HEX && digits == n;
}

static int take_line(struct line *l, const char *s, size_t n, struct err *e)
{
	static const char finding[] = "finding:", rule[] = "rule:";
	size_t id;

	if (n > strlen(finding) && memcmp(s, finding, strlen(finding)) == 0) {
		s += strlen(finding);
		n -= strlen(finding);
		if (!is_name(s, n))
			return err_set(e, ERR_INVALID,
			               "finding: is followed by 32 hexadecimal digits");
		memcpy(l->name, s, n);
		return ERR_OK;
	}
	if (n > strlen(rule) && memcmp(s, rule, strlen(rule)) == 0) {
		s += strlen(rule);
		n -= strlen(rule);
		for (id = 0; id < n && s[id] != ' ' && s[id] != '\t'; id++)
			;
		if (id == 0)
			return err_set(e, ERR_INVALID, "rule: is followed by its id");
		if ((l->rule = strndup(s, id)) == NULL)
			return no_memory(e);
		for (; id < n && (s[id] == ' ' || s[id] == '\t'); id++)
			;
		return id < n ? take_glob(l, s + id, n - id, e) : ERR_OK;
	}
	if (*s == '!') {
		l->negated = true;
		s++;
		n--;
	}
	return take_glob(l, s, n, e);
}

/* Room for one more line, which is empty. */
static struct line *new_line(struct ignore *i, unsigned number, struct err *e)
{
	struct line *more, *l;

	if (i->n >= IGNORE_LINES) {
		err_set(e, ERR_INVALID, "more than %u lines", IGNORE_LINES);
		return NULL;
	}
	if (i->n == i->room) {
		more = realloc(i->line, (2 * i->room + 16) * sizeof(*more));
		if (more == NULL) {
			err_set(e, ERR_NOMEM, "out of memory");
			return NULL;
		}
		i->line = more;
		i->room = 2 * i->room + 16;
	}
	l = &i->line[i->n++];
	*l = (struct line){ .source = i->sources - 1, .number = number };
	return l;
}

static int read_line(struct ignore *i, unsigned number, const char *s, size_t n,
                     struct err *e)
{
	struct line *l;
	int rc;

	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
		n--;
	if (n == 0 || *s == '#')
		return ERR_OK;
	if (memchr(s, '\0', n) != NULL)
		return err_set(e, ERR_INVALID, "a NUL byte");
	l = new_line(i, number, e);
	if (l == NULL)
		return (int)e->code;
	rc = take_line(l, s, n, e);
	if (rc != ERR_OK) {
		free(l->rule);
		free(l->glob);
		i->n--;
	}
	return rc;
}

static int add_source(struct ignore *i, const char *name, const char *dir, struct err *e)
{
	struct source *more = realloc(i->source, (i->sources + 1) * sizeof(*more)), s;

	if (more == NULL)
		return no_memory(e);
	i->source = more;
	s = (struct source){ strdup(name), strdup(dir) };
	more[i->sources++] = s;
	return s.name != NULL && s.dir != NULL ? ERR_OK : no_memory(e);
}

int ignore_add(struct ignore *i, const char *name, const char *dir, const char *text,
               size_t n, struct err *e)
{
	unsigned number = 0;
	int rc = add_source(i, name, dir, e);

	while (rc == ERR_OK && n > 0) {
		const char *end = memchr(text, '\n', n);
		size_t len = end != NULL ? (size_t)(end - text) : n;

		rc = read_line(i, ++number, text, len, e);
		if (rc != ERR_OK)
			return err_wrap(e, "%s:%u", name, number);
		len += end != NULL;
		text += len;
		n -= len;
	}
	return rc;
}

int ignore_add_file(struct ignore *i, const char *path, const char *cwd, struct err *e)
{
	char dir[PLACE_MAX], *slash, *text = NULL;
	size_t n = 0;
	int rc;

	if (!place_absolute(cwd, path, dir, sizeof(dir)))
		return err_set(e, ERR_INVALID, "%.60s…: its name is too long", path);
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	rc = whole_file(path, IGNORE_FILE_MAX, &text, &n, e);
	if (rc == ERR_OK)
		rc = ignore_add(i, path, dir, text, n, e);
	free(text);
	return rc;
}

/* --- matching ----------------------------------------------------------------------- */

/* Of ${path}, or of a directory that it is in. */
static bool glob_applies(const struct line *l, const char *path)
{
	char part[PLACE_MAX];
	size_t n = strlen(path), from = 0;

	if (n >= sizeof(part))
		return false;
	for (size_t at = 0; at <= n; at++) {
		if (path[at] != '/' && path[at] != '\0')
			continue;
		if (path[at] == '\0' && l->directory)
			return false;
		memcpy(part, path + from, at - from);
		part[at - from] = '\0';
		if (glob_match(l->glob, part))
			return true;
		if (!l->anchored)
			from = at + 1;
	}
	return false;
}

static bool applies(const struct ignore *i, const struct line *l,
                    const struct ignore_what *w)
{
	const char *path = w->path;

	if (*l->name != '\0') {
		for (size_t k = 0; k < ARRAY_LEN(w->names); k++)
			if (w->names[k] != NULL && strcmp(l->name, w->names[k]) == 0)
				return true;
		return false;
	}
	if (w->exact || (l->rule != NULL && strcmp(l->rule, w->rule) != 0))
		return false;
	if (l->glob == NULL)
		return true;
	if (!w->foreign)
		path = place_below(i->source[l->source].dir, path);
	return path != NULL && glob_applies(l, path);
}

/* The last pattern that applies decides; a finding that is named is left out in any case.
 */
bool ignore_match(const struct ignore *i, const struct ignore_what *w, char *by,
                  size_t cap)
{
	const struct line *last = NULL;

	for (size_t k = 0; k < i->n; k++)
		if (applies(i, &i->line[k], w) && (last == NULL || *last->name == '\0'))
			last = &i->line[k];
	if (last == NULL || last->negated)
		return false;
	snprintf(by, cap, "%s:%u", i->source[last->source].name, last->number);
	return true;
}
