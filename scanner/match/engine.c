/* SPDX-License-Identifier: Apache-2.0 */
/* engine - the anchors of all rules, compiled, and which rules each belongs to. */
#include <stdlib.h>
#include <string.h>

#include "match/stream_impl.h"

#define REACH_MAX 256u /* that is looked through to rule an anchor out */

struct pair {
	struct literal literal;
	enum anchor_kind kind;
	unsigned rule;
};

static int by_literal(const struct literal *a, const struct literal *b)
{
	int c = strcmp(a->text, b->text);

	c = c != 0 ? c : (int)a->exact - (int)b->exact;
	c = c != 0 ? c : (a->next.n > b->next.n) - (a->next.n < b->next.n);
	return c != 0 ? c : memcmp(&a->next.of, &b->next.of, sizeof(a->next.of));
}

static int by_text(const void *x, const void *y)
{
	const struct pair *a = x, *b = y;
	int c = (a->kind > b->kind) - (a->kind < b->kind);

	c = c != 0 ? c : by_literal(&a->literal, &b->literal);
	return c != 0 ? c : a->rule < b->rule ? -1 : a->rule > b->rule;
}

void scan_engine_free(struct scan_engine *g)
{
	if (g == NULL)
		return;
	for (unsigned k = 0; k < SPOT_KINDS; k++)
		literals_free(g->anchors[k]);
	free(g->anchor);
	free(g->attempts);
	free(g->runs);
	free(g->open);
	free(g->literals);
	literals_free(g->trigger_literals);
	free(g->trigger_texts);
	free(g->triggers);
	free(g->whole);
	free(g);
}

const struct literals *engine_literals(const struct scan_engine *g, unsigned i)
{
	const struct literals *const all[] = { g->anchors[SPOT_TEXT],
		                               g->anchors[SPOT_RUN], g->trigger_literals,
		                               NULL };

	return all[i];
}

static int check(const struct rule *u, struct err *e)
{
	pcre2_code *re;
	PCRE2_SIZE at;
	unsigned char why[120];
	int code;

	if (u->checked)
		return ERR_OK;
	re = pcre2_compile((PCRE2_SPTR)u->regex, PCRE2_ZERO_TERMINATED, 0, &code, &at,
	                   NULL);
	if (re == NULL) {
		pcre2_get_error_message(code, why, sizeof(why));
		return err_set(e, ERR_INVALID, "rule %s: regex: %s at byte %zu", u->id,
		               (const char *)why, at);
	}
	pcre2_code_free(re);
	return ERR_OK;
}

static struct literal literal_of(const struct rule *u, size_t a)
{
	const char *text = u->anchors.at[a];

	return (struct literal){ text, (uint16_t)strlen(text), u->exact, u->next };
}

static enum anchor_kind kind_of(const struct scan_engine *g, const struct rule *u,
                                const struct literal *l)
{
	if (u->trigger != TRIGGER_TEXT)
		return ANCHOR_IN_RUN;
	return engine_has_trigger(g, l) ? ANCHOR_ANYWHERE : ANCHOR_IN_TEXT;
}

static struct pair *pairs(const struct scan_engine *g, size_t *n)
{
	const struct rule_set *rules = g->rules;
	struct pair *p;
	size_t k = 0;

	*n = 0;
	for (size_t i = 0; i < rules->n; i++)
		*n += rules->at[i].anchors.n;
	p = calloc(*n + 1, sizeof(*p));
	for (size_t i = 0; p != NULL && i < rules->n; i++)
		for (size_t a = 0; a < rules->at[i].anchors.n; a++) {
			const struct literal l = literal_of(&rules->at[i], a);

			p[k++] = (struct pair){ l, kind_of(g, &rules->at[i], &l),
				                (unsigned)i };
		}
	if (p != NULL)
		qsort(p, *n, sizeof(*p), by_text);
	return p;
}

/* What is asked of more than a line is not known of the lines around it. */
static struct attempt attempt_of(struct scan_engine *g, unsigned rule)
{
	const struct rule *u = &g->rules->at[rule];
	const bool one_line = u->lines_span == 1 && !u->by_keyword && u->window == 0;
	struct attempt a = { .rule = (uint16_t)rule,
		             .wide = u->trigger == TRIGGER_WIDE_RUN };

	if (u->prefixed) {
		a.begins = BEGINS_HERE;
		a.word = classes_add(&g->word, &u->after_word);
		a.first = classes_add(&g->prose, &u->after_prose);
	} else if (one_line && u->at_line) {
		a.begins = BEGINS_LINE;
		a.first = classes_add(&g->prose, &u->after_prose);
	} else if (u->near && u->reach <= REACH_MAX) {
		a.begins = BEGINS_NEAR;
		a.reach = (uint16_t)u->reach;
		a.first = classes_add(&g->word, &u->after_word);
	}
	for (unsigned i = 0; one_line && i < u->musts.n; i++)
		a.line |= classes_add(&g->line, &u->musts.of[i]);
	return a;
}

/* ${p} is sorted: the rules of one anchor follow each other. */
static void list_anchors(struct scan_engine *g, const struct pair *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct literal *l = &p[i].literal;

		if (i == 0 || p[i].kind != p[i - 1].kind ||
		    by_literal(l, &p[i - 1].literal) != 0) {
			g->anchor[g->n] = (struct anchor){ (unsigned)i, l->n,
				                           l->next.n > 0 };
			g->literals[g->n++] = *l;
			if (g->longest[p[i].kind] < l->n)
				g->longest[p[i].kind] = l->n;
		}
		for (unsigned k = p[i].kind; k < ANCHOR_KINDS; k++)
			g->first_of[k + 1] = g->n;
		g->attempts[i] = attempt_of(g, p[i].rule);
	}
	g->anchor[g->n].first = (unsigned)n;
}

static int compile(struct scan_engine *g, struct err *e)
{
	int rc = ERR_OK;

	for (size_t i = 0; i < g->rules->n; i++) {
		g->runs[i] = run_find_of(&g->rules->at[i].run);
		if (g->rules->at[i].near)
			g->open[i] = open_find_of(&g->rules->at[i].opening);
		if (g->rules->at[i].anchors.n == 0)
			g->whole[g->n_whole++] = (unsigned)i;
	}
	for (unsigned k = 0; rc == ERR_OK && k < SPOT_KINDS; k++)
		rc = literals_new(g->literals + g->first_of[k],
		                  g->first_of[k + 1] - g->first_of[k], LITERALS_UNORDERED,
		                  &g->anchors[k], e);
	return rc;
}

/* Triggers, and the anchors that are found with them; the others' rules have spots. */
static int first_pass(struct scan_engine *g, const struct pair *p, size_t n,
                      struct err *e)
{
	bool *spots = calloc(g->rules->n + 1, sizeof(*spots));
	int rc;

	if (spots == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		spots[p[i].rule] |= p[i].kind == ANCHOR_IN_TEXT;
	rc = engine_first_pass(g, spots, e);
	free(spots);
	return rc;
}

static int build(struct scan_engine *g, struct err *e)
{
	size_t n;
	struct pair *p;
	int rc = engine_triggers(g, e);

	if (rc != ERR_OK)
		return rc;
	p = pairs(g, &n);
	g->anchor = calloc(n + 1, sizeof(*g->anchor));
	g->attempts = calloc(n + 1, sizeof(*g->attempts));
	g->literals = calloc(n + 1, sizeof(*g->literals));
	g->runs = calloc(g->rules->n + 1, sizeof(*g->runs));
	g->open = calloc(g->rules->n + 1, sizeof(*g->open));
	g->whole = calloc(g->rules->n + 1, sizeof(*g->whole));
	if (p != NULL && g->anchor != NULL && g->attempts != NULL &&
	    g->literals != NULL && g->runs != NULL && g->open != NULL &&
	    g->whole != NULL) {
		list_anchors(g, p, n);
		rc = compile(g, e);
		if (rc == ERR_OK)
			rc = first_pass(g, p, n, e);
	} else {
		rc = err_set(e, ERR_NOMEM, "out of memory");
	}
	free(p);
	return rc;
}

int scan_engine_new(const struct rule_set *rules, struct scan_engine **out, struct err *e)
{
	struct scan_engine *g;
	int rc = ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < rules->n; i++)
		rc = check(&rules->at[i], e);
	if (rc != ERR_OK)
		return rc;
	if ((g = calloc(1, sizeof(*g))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	g->rules = rules;
	if ((rc = build(g, e)) != ERR_OK) {
		scan_engine_free(g);
		return rc;
	}
	*out = g;
	return ERR_OK;
}
