/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "sk.h"

struct span {
	const char *p;
	size_t n;
};

/* The next word of a line; blanks within double quotes are part of it, as in options. */
static struct span word(const char **at, const char *end)
{
	struct span w;
	bool quoted = false;

	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
	w.p = *at;
	for (; *at < end && (quoted || (**at != ' ' && **at != '\t')); (*at)++) {
		if (**at == '\\' && *at + 1 < end && (*at)[1] == '"')
			(*at)++;
		else if (**at == '"')
			quoted = !quoted;
	}
	w.n = (size_t)(*at - w.p);
	return w;
}

static bool is_type(struct span w)
{
	static const char *const starts[] = { "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-" };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		size_t n = strlen(starts[i]);

		if (w.n > n && memcmp(w.p, starts[i], n) == 0 &&
		    memchr(w.p, '=', w.n) == NULL)
			return true;
	}
	return false;
}

struct line {
	struct span blob, comment; /* empty if it is no key */
};

/* "[options] type blob [comment]". */
static struct line parse(const char *at, const char *end)
{
	struct line l = { 0 };
	struct span w;

	while (end > at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	w = word(&at, end);
	if (w.n == 0 || w.p[0] == '#')
		return l;
	if (!is_type(w) && !is_type(word(&at, end)))
		return l;
	l.blob = word(&at, end);
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	l.comment = (struct span){ at, (size_t)(end - at) };
	return l;
}

static bool is(struct span s, const char *text)
{
	return text != NULL && s.n > 0 && s.n == strlen(text) &&
	       memcmp(s.p, text, s.n) == 0;
}

static bool drops(const struct sk_edit *e, const struct line *l)
{
	if (is(l->blob, e->keep))
		return false;
	return is(l->blob, e->drop) || is(l->comment, e->tag);
}

char *sk_edit(struct arena *arena, const char *text, const struct sk_edit *edit,
              size_t *dropped)
{
	size_t more = edit->add != NULL ? strlen(edit->add) + 2 : 0;
	char *out = arena_alloc(arena, strlen(text) + more + 1), *at = out;

	*dropped = 0;
	if (out == NULL)
		return NULL;
	while (*text != '\0') {
		size_t n = strcspn(text, "\n"), whole = n + (text[n] == '\n');
		struct line l = parse(text, text + n);

		if (drops(edit, &l)) {
			(*dropped)++;
		} else {
			memcpy(at, text, whole);
			at += whole;
		}
		text += whole;
	}
	if (edit->add != NULL) {
		if (at > out && at[-1] != '\n')
			*at++ = '\n';
		memcpy(at, edit->add, strlen(edit->add));
		at += strlen(edit->add);
		*at++ = '\n';
	}
	*at = '\0';
	return out;
}

char *sk_blob(struct arena *arena, const char *line)
{
	struct line l = parse(line, line + strcspn(line, "\n"));

	return l.blob.n > 0 ? arena_dup(arena, l.blob.p, l.blob.n) : NULL;
}
