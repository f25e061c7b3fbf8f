/* SPDX-License-Identifier: Apache-2.0 */
/*
 * triggers - what makes a place worth a second look for a rule.
 *
 * All bytes are searched for triggers, anchors only near them.  So triggers shall be few
 * and rare: keywords that many rules share; and for tokens, which are long, no text at
 * all, but that something long is there.
 */
#include <ctype.h>
#include <string.h>

#include "rules/rules.h"

#define WRITTEN_LEAST 3u /* bytes of a trigger that say where it is */

static bool long_run(const struct rule *u, const unsigned token[RULE_SETS])
{
	return u->window == 0 && u->lines_span == 1 &&
	       (token[RULE_ALNUM] >= RULE_RUN_ALNUM || token[RULE_URL] >= RULE_RUN_URL ||
	        token[RULE_BASE64] >= RULE_RUN_BASE64);
}

static void lower(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		for (char *p = t->at[i]; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
}

static int copy(const struct texts *from, struct texts *out)
{
	for (size_t i = 0; i < from->n; i++)
		if (texts_add(out, from->at[i], strlen(from->at[i])) != 0)
			return -1;
	return 0;
}

static size_t longest(const struct texts *t)
{
	size_t most = 0;

	for (size_t i = 0; i < t->n; i++)
		if (strlen(t->at[i]) > most)
			most = strlen(t->at[i]);
	return most;
}

/* Is one of ${texts} in each of ${heads}? */
static bool in_all(const struct texts *texts, const struct texts *heads)
{
	for (size_t i = 0; i < heads->n; i++) {
		bool in = false;

		for (size_t k = 0; k < texts->n && !in; k++)
			in = strcasestr(heads->at[i], texts->at[k]) != NULL;
		if (!in)
			return false;
	}
	return true;
}

/* Its own, its anchors, or what these were: the last may be anywhere in a match, which
 * begins with an anchor. */
static int choose(struct rule *u, const struct texts *other)
{
	const bool named = u->triggers.n > 0;
	const bool old = !named && u->prefixed && (!u->exact || other->n < u->anchors.n);

	if (!named && copy(old ? other : &u->anchors, &u->triggers) != 0)
		return -1;
	u->trigger_exact = named ? !rule_any_case(u->regex) : u->exact && !old;
	if (!u->trigger_exact)
		lower(&u->triggers);
	if (u->reach == 0)
		u->reach = u->prefixed && !in_all(&u->triggers, &u->anchors)
		                   ? RULE_REACH_LINES
		                   : (unsigned)longest(&u->anchors);
	return 0;
}

/* Is ${c} in each match? */
static bool has_always(const struct musts *m, unsigned char c)
{
	struct bytes only = { { 0 } };

	only.w[c / 64] = UINT64_C(1) << c % 64;
	for (unsigned i = 0; i < m->n; i++)
		if (memcmp(&m->of[i], &only, sizeof(only)) == 0)
			return true;
	return false;
}

/* How ${text}, or the end of it, is written in the expression: "://" of "https://", as
 * there it is "https?://".  NULL: not at all. */
static const char *written(const struct rule *u, const char *text)
{
	while (strlen(text) > WRITTEN_LEAST && strcasestr(u->regex, text) == NULL)
		text++;
	return strcasestr(u->regex, text) != NULL ? text : NULL;
}

bool rule_needs_after(const struct rule *u)
{
	const char *first = u->needs != '\0' ? strchr(u->regex, u->needs) : NULL;

	for (size_t i = 0; i < u->triggers.n; i++) {
		const char *text = written(u, u->triggers.at[i]);

		if (first == NULL || text == NULL)
			return false;
		for (const char *at = strcasestr(u->regex, text); at != NULL;
		     at = strcasestr(at + 1, text))
			if (at + strlen(text) > first)
				return false;
	}
	return first != NULL;
}

int rule_triggers(struct rule *u, const struct lead *lead, const struct texts *other)
{
	u->near = u->reach > 0 && !u->prefixed && !u->by_keyword && u->window == 0;
	/* Where matches are of the line of the trigger, and of no other. */
	u->needs = u->lines_span == 1 && u->window == 0 && !u->by_keyword &&
	                           has_always(&lead->musts, '@')
	                   ? '@'
	                   : 0;
	if (u->triggers.n == 0 && u->by_keyword &&
	    lead->token[RULE_ALNUM] >= RULE_WIDE_ALNUM) {
		u->trigger = TRIGGER_WIDE_RUN;
		return 0;
	}
	if (u->triggers.n == 0 && !u->by_keyword && long_run(u, lead->token)) {
		u->trigger = TRIGGER_RUN;
		return 0;
	}
	u->trigger = TRIGGER_TEXT;
	return choose(u, other);
}
