/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anchors - literals of which one is in every match of a regular expression.
 *
 * Of each part either the whole language is known (a few short texts), or texts of which
 * one must occur; parts are put together from the left.  Of an expression that matches in
 * any case they are in lower case.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rules.h"
#include "rules/syntax.h"

#define SET_MAX   48u /* texts */
#define TEXT_MAX  24u /* bytes of one that is put together */
#define CLASS_MAX 8u  /* characters of a class that are tried one by one */
#define DEPTH_MAX 32u
#define LEAST     2u /* two bytes, where there is nothing better */

/* What is known of a part. */
struct part {
	bool whole; /* ${set} is the language itself */
	struct texts set;
};

struct scan {
	const char *at;
	unsigned depth;
	bool any_case;
	bool failed; /* out of memory */
};

static char letter(const struct scan *s)
{
	const unsigned char c = (unsigned char)*s->at;

	return (char)(s->any_case ? tolower(c) : c);
}

static void add(struct scan *s, struct texts *t, const char *p, size_t n)
{
	for (size_t i = 0; i < t->n; i++)
		if (strlen(t->at[i]) == n && memcmp(t->at[i], p, n) == 0)
			return;
	s->failed |= texts_add(t, p, n) != 0;
}

static void clear(struct part *p)
{
	texts_free(&p->set);
	p->whole = false;
}

static void only(struct scan *s, struct part *p, const char *text, size_t n)
{
	*p = (struct part){ .whole = true };
	add(s, &p->set, text, n);
}

static size_t shortest(const struct texts *t)
{
	size_t least = t->n > 0 ? SIZE_MAX : 0;

	for (size_t i = 0; i < t->n; i++)
		if (strlen(t->at[i]) < least)
			least = strlen(t->at[i]);
	return least;
}

static bool usable(const struct texts *t)
{
	return t->n > 0 && shortest(t) >= LEAST;
}

/* Keeps the better of the two in ${best}. */
static void prefer(struct texts *best, struct texts *other)
{
	struct texts t;

	if (usable(other) &&
	    (!usable(best) || shortest(other) > shortest(best) ||
	     (shortest(other) == shortest(best) && other->n < best->n))) {
		t = *best;
		*best = *other;
		*other = t;
	}
	texts_free(other);
}

/* a := a b, if both are known whole and it stays small. */
static bool join(struct scan *s, struct part *a, const struct part *b)
{
	struct texts out = { 0 };
	char text[2 * TEXT_MAX + 1];

	if (!a->whole || !b->whole || a->set.n * b->set.n > SET_MAX)
		return false;
	for (size_t i = 0; i < a->set.n; i++)
		for (size_t k = 0; k < b->set.n; k++)
			if (strlen(a->set.at[i]) + strlen(b->set.at[k]) > TEXT_MAX) {
				texts_free(&out);
				return false;
			}
	for (size_t i = 0; i < a->set.n; i++)
		for (size_t k = 0; k < b->set.n; k++) {
			size_t n = strlen(a->set.at[i]), m = strlen(b->set.at[k]);

			memcpy(text, a->set.at[i], n);
			memcpy(text + n, b->set.at[k], m);
			add(s, &out, text, n + m);
		}
	texts_free(&a->set);
	a->set = out;
	return true;
}

static void choice(struct scan *s, struct part *out);

/* --- atoms ----------------------------------------------------------------------------
 */

/* A class in brackets: its characters if they are few. */
static void class(struct scan *s, struct part *out)
{
	bool few = s->at[1] != '^';
	char c;

	*out = (struct part){ .whole = true };
	s->at++;
	s->at += *s->at == '^';
	for (bool first = true; *s->at != '\0' && (*s->at != ']' || first);
	     first = false) {
		if (s->at[0] == '\\' && s->at[1] != '\0') {
			few &= ispunct((unsigned char)s->at[1]) != 0;
			s->at++;
		}
		if (s->at[0] == '[' && s->at[1] == ':') {
			few = false;
			s->at = strchr(s->at, ']') != NULL ? strchr(s->at, ']') : s->at;
		}
		few &= s->at[1] != '-' || s->at[2] == ']';
		c = letter(s);
		add(s, &out->set, &c, 1);
		s->at++;
	}
	s->at += *s->at == ']';
	if (!few || out->set.n > CLASS_MAX)
		clear(out);
}

static void escape(struct scan *s, struct part *out)
{
	char c = s->at[1];

	s->at += c != '\0' ? 2 : 1;
	if (strchr("bBAzZG", c) != NULL)
		only(s, out, "", 0);
	else if (ispunct((unsigned char)c))
		only(s, out, &c, 1);
	else
		*out = (struct part){ 0 }; /* a class, or a control character */
}

static void group(struct scan *s, struct part *out)
{
	bool flags = false, asserts = false;

	s->at++;
	if (*s->at == '?') {
		s->at++;
		asserts = *s->at == '=' || *s->at == '!' || *s->at == '<';
		while (*s->at != '\0' && strchr("imsxUJ-", *s->at) != NULL) {
			s->at++;
			flags = true;
		}
		flags = flags && *s->at == ')';
		s->at += *s->at == ':';
	}
	if (flags)
		only(s, out, "", 0);
	else
		choice(s, out);
	if (asserts)
		clear(out);
	s->at += *s->at == ')';
}

static void atom(struct scan *s, struct part *out)
{
	char c = letter(s);

	if (*s->at == '(') {
		group(s, out);
	} else if (*s->at == '[') {
		class(s, out);
	} else if (*s->at == '\\') {
		escape(s, out);
	} else if (*s->at == '^' || *s->at == '$') {
		s->at++;
		only(s, out, "", 0);
	} else if (*s->at == '.') {
		s->at++;
		*out = (struct part){ 0 };
	} else {
		s->at++;
		only(s, out, &c, 1);
	}
}

/* --- repetition, sequence, choice -----------------------------------------------------
 */

static bool quantifier(struct scan *s, unsigned *least, unsigned *most)
{
	char *end;

	*least = *most = 1;
	if (*s->at == '?') {
		*least = 0;
	} else if (*s->at == '*') {
		*least = 0;
		*most = UINT16_MAX;
	} else if (*s->at == '+') {
		*most = UINT16_MAX;
	} else if (syntax_is_count(s->at)) {
		*least = *most = (unsigned)strtoul(s->at + 1, &end, 10);
		if (*end == ',')
			*most = isdigit((unsigned char)end[1])
			                ? (unsigned)strtoul(end + 1, &end, 10)
			                : UINT16_MAX;
		s->at = strchr(end, '}') != NULL ? strchr(end, '}') : end;
	} else {
		return false;
	}
	s->at += *s->at != '\0';
	s->at += *s->at == '?' || *s->at == '+';
	return true;
}

static void repeated(struct scan *s, struct part *out)
{
	struct part one = { .whole = true };
	unsigned least, most;
	bool same;

	atom(s, out);
	if (!quantifier(s, &least, &most) || (least == 1 && most == 1))
		return;
	if (least == 0 && (most > 1 || !out->whole)) {
		clear(out);
		return;
	}
	if (least == 0) {
		add(s, &out->set, "", 0);
		return;
	}
	/* Once more and again, as long as it stays small. */
	same = least == most && out->whole;
	for (size_t i = 0; i < out->set.n; i++)
		add(s, &one.set, out->set.at[i], strlen(out->set.at[i]));
	for (unsigned i = 1; same && i < least; i++)
		same = i < TEXT_MAX && join(s, out, &one);
	out->whole = same;
	texts_free(&one.set);
}

static void sequence(struct scan *s, struct part *out)
{
	struct part run, next;
	struct texts best = { 0 };
	bool cut = false;

	only(s, &run, "", 0);
	while (*s->at != '\0' && *s->at != '|' && *s->at != ')') {
		repeated(s, &next);
		if (join(s, &run, &next)) {
			texts_free(&next.set);
			continue;
		}
		cut = true;
		prefer(&best, &run.set);
		run = next;
		if (!next.whole) {
			prefer(&best, &run.set);
			only(s, &run, "", 0);
		}
	}
	if (!cut) {
		*out = run;
		return;
	}
	prefer(&best, &run.set);
	*out = (struct part){ .set = best };
}

static void choice(struct scan *s, struct part *out)
{
	struct part next;
	bool known;

	if (++s->depth > DEPTH_MAX) {
		s->at += strlen(s->at);
		*out = (struct part){ 0 };
		return;
	}
	sequence(s, out);
	known = out->whole || usable(&out->set);
	while (*s->at == '|') {
		s->at++;
		sequence(s, &next);
		known &= next.whole || usable(&next.set);
		out->whole &= next.whole;
		for (size_t i = 0; i < next.set.n; i++)
			add(s, &out->set, next.set.at[i], strlen(next.set.at[i]));
		texts_free(&next.set);
	}
	if (!known || out->set.n > SET_MAX)
		clear(out);
	s->depth--;
}

/* One that holds another is found with it. */
static void drop_longer(struct texts *t)
{
	bool longer[SET_MAX] = { false };
	size_t kept = 0;

	if (t->n > SET_MAX)
		return;
	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < t->n; k++)
			longer[i] |= k != i && !longer[k] &&
			             strstr(t->at[i], t->at[k]) != NULL;
	for (size_t i = 0; i < t->n; i++)
		if (longer[i])
			free(t->at[i]);
		else
			t->at[kept++] = t->at[i];
	t->n = kept;
}

int rule_anchors(const char *regex, struct texts *out)
{
	struct scan s = { .at = regex, .any_case = rule_any_case(regex) };
	struct part p;

	choice(&s, &p);
	drop_longer(&p.set);
	if (s.depth == 0 && usable(&p.set)) /* it was read to its end */
		*out = p.set;
	else
		texts_free(&p.set);
	return s.failed ? -1 : 0;
}
