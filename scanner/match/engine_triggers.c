/* SPDX-License-Identifier: Apache-2.0 */
/* engine_triggers - what all of a text is searched for: triggers, without those that
 * others are part of, and the anchors that have one in them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "match/stream_impl.h"

static bool alike(const struct literal *a, const struct literal *b)
{
	return a->exact == b->exact && a->n == b->n && a->text != NULL &&
	       memcmp(a->text, b->text, a->n) == 0;
}

/* What is part of a text has no other ones: nearly all are told apart by that. */
static uint64_t letters_of(const char *text)
{
	uint64_t letters = 0;

	for (; *text != '\0'; text++)
		letters |= UINT64_C(1) << tolower((unsigned char)*text) % 64;
	return letters;
}

/* All that the one wants, and the other. */
static void unite(struct trigger *t, const struct trigger *more)
{
	t->before = t->before > more->before ? t->before : more->before;
	t->lines = t->lines > more->lines ? t->lines : more->lines;
	t->needs = t->needs == more->needs ? t->needs : 0;
	t->after &= more->after;
}

static void add(struct scan_engine *g, const struct rule *u, const char *text)
{
	const bool by_lines = u->reach == RULE_REACH_LINES;
	const struct trigger one = {
		.literal = {text, (uint16_t)strlen(text), u->trigger_exact, { .n = 0 }},
		.letters = letters_of(text),
		.anchor = NO_ANCHOR,
		.marks = true,
		.before = by_lines ? SPOT_BEFORE : u->reach,
		.lines = by_lines ? u->lines_span - 1 : 0,
		.needs = u->needs,
		.after = u->needs_after,
	};

	for (size_t i = 0; i < g->n_triggers; i++)
		if (alike(&g->triggers[i].literal, &one.literal)) {
			unite(&g->triggers[i], &one);
			return;
		}
	g->triggers[g->n_triggers++] = one;
}

/* Is ${small} found wherever ${large} is, which has these letters? */
static bool part_of(const struct trigger *small, const struct literal *large,
                    uint64_t letters)
{
	const struct literal *l = &small->literal;

	if ((small->letters & ~letters) != 0 || l->n > large->n ||
	    (l->exact && !large->exact))
		return false;
	return l->exact ? strstr(large->text, l->text) != NULL
	                : strcasestr(large->text, l->text) != NULL;
}

/* Does ${t} mark all that ${other} does, wherever both are? */
static bool as_far(const struct trigger *t, const struct trigger *other)
{
	return t->lines >= other->lines &&
	       (t->before == SPOT_BEFORE ||
	        t->before >= other->before + other->literal.n - t->literal.n) &&
	       (t->needs == 0 || (t->needs == other->needs && t->after <= other->after));
}

static bool covered(const struct scan_engine *g, const struct trigger *t)
{
	for (size_t i = 0; i < g->n_triggers; i++)
		if (g->triggers[i].literal.n < t->literal.n &&
		    as_far(&g->triggers[i], t) &&
		    part_of(&g->triggers[i], &t->literal, t->letters))
			return true;
	return false;
}

static void drop_covered(struct scan_engine *g)
{
	size_t kept = 0;

	/* What covers is shorter, and so not covered by what it covers. */
	for (size_t i = 0; i < g->n_triggers; i++)
		g->triggers[i].covered = covered(g, &g->triggers[i]);
	for (size_t i = 0; i < g->n_triggers; i++)
		if (!g->triggers[i].covered)
			g->triggers[kept++] = g->triggers[i];
	g->n_triggers = kept;
}

static void widen(struct scan_engine *g, const struct rule *u)
{
	if (u->trigger == TRIGGER_WIDE_RUN && g->wide_lines < u->lines)
		g->wide_lines = u->lines;
}

static int allocate(struct scan_engine *g, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < g->rules->n; i++)
		n += g->rules->at[i].triggers.n + g->rules->at[i].anchors.n;
	g->triggers = calloc(n + 1, sizeof(*g->triggers));
	g->trigger_texts = calloc(n + 1, sizeof(*g->trigger_texts));
	if (g->triggers == NULL || g->trigger_texts == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

static void add_all(struct scan_engine *g, const struct rule *u)
{
	for (size_t k = 0; k < u->triggers.n; k++)
		add(g, u, u->triggers.at[k]);
}

int engine_triggers(struct scan_engine *g, struct err *e)
{
	const int rc = allocate(g, e);

	for (size_t i = 0; rc == ERR_OK && i < g->rules->n; i++) {
		widen(g, &g->rules->at[i]);
		add_all(g, &g->rules->at[i]);
	}
	return rc;
}

bool engine_has_trigger(const struct scan_engine *g, const struct literal *l)
{
	const uint64_t letters = letters_of(l->text);

	for (size_t i = 0; i < g->n_triggers; i++)
		if (g->triggers[i].needs == 0 && part_of(&g->triggers[i], l, letters))
			return true;
	return false;
}

/* With the trigger that is the same text, or as one that is none. */
static void add_anchor(struct scan_engine *g, size_t n, unsigned anchor)
{
	const struct literal *l = &g->literals[anchor];

	for (size_t i = 0; i < n && l->next.n == 0; i++)
		if (alike(&g->triggers[i].literal, l) &&
		    g->triggers[i].anchor == NO_ANCHOR) {
			g->triggers[i].anchor = anchor;
			return;
		}
	g->triggers[g->n_triggers++] = (struct trigger){ .literal = *l,
		                                         .anchor = anchor };
}

int engine_first_pass(struct scan_engine *g, const bool *spots, struct err *e)
{
	size_t n;

	g->n_triggers = 0;
	for (size_t i = 0; i < g->rules->n; i++)
		if (spots[i])
			add_all(g, &g->rules->at[i]);
	drop_covered(g);
	n = g->n_triggers;
	for (size_t i = g->first_of[ANCHOR_ANYWHERE]; i < g->n; i++)
		add_anchor(g, n, (unsigned)i);
	for (size_t i = 0; i < g->n_triggers; i++)
		g->trigger_texts[i] = g->triggers[i].literal;
	return literals_new(g->trigger_texts, g->n_triggers, LITERALS_UNORDERED,
	                    &g->trigger_literals, e);
}
