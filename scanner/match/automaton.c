/* SPDX-License-Identifier: Apache-2.0 */
#include "match/automaton.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Bytes that no text has are one class. */
struct automaton {
	uint8_t class[256];
	unsigned classes;
	uint32_t *next;  /* state * classes + class -> state */
	uint32_t *fail;  /* the longest end of this state's text that is a state */
	uint32_t *found; /* text that ends here; NONE */
	uint32_t *chain; /* the next state up the fails where a text ends; 0: none */
	uint32_t *same;  /* per text: another one with the same letters; NONE */
	uint32_t n;      /* states; 0 is the root */
};

void automaton_free(struct automaton *a)
{
	if (a == NULL)
		return;
	free(a->next);
	free(a->fail);
	free(a->found);
	free(a->chain);
	free(a->same);
	free(a);
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static void classes(struct automaton *a, const struct literal *list, size_t n)
{
	a->classes = 1;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i].n; k++) {
			uint8_t *class = &a->class[lower((unsigned char)list[i].text[k])];

			if (*class == 0)
				*class = (uint8_t)a->classes++;
		}
	for (unsigned c = 'A'; c <= 'Z'; c++)
		a->class[c] = a->class[lower((unsigned char)c)];
}

static void insert(struct automaton *a, const struct literal *l, uint32_t id)
{
	uint32_t state = 0, *to;

	for (size_t i = 0; i < l->n; i++) {
		to = &a->next[state * a->classes + a->class[(unsigned char)l->text[i]]];
		if (*to == NONE)
			*to = a->n++;
		state = *to;
	}
	a->same[id] = a->found[state];
	a->found[state] = id;
}

/* Breadth first: a state's fail is nearer to the root, and is done before it. */
static int link_up(struct automaton *a)
{
	uint32_t *queue = malloc(a->n * sizeof(*queue)), head = 0, tail = 0, *to, fail;

	if (queue == NULL)
		return -1;
	queue[tail++] = 0;
	while (head < tail) {
		uint32_t state = queue[head++];

		for (unsigned c = 0; c < a->classes; c++) {
			to = &a->next[state * a->classes + c];
			fail = state == 0 ? 0 : a->next[a->fail[state] * a->classes + c];
			if (*to == NONE) {
				*to = fail;
				continue;
			}
			a->fail[*to] = fail;
			a->chain[*to] = a->found[fail] != NONE ? fail : a->chain[fail];
			queue[tail++] = *to;
		}
	}
	free(queue);
	return 0;
}

struct automaton *automaton_new(const struct literal *list, size_t n)
{
	struct automaton *a = calloc(1, sizeof(*a));
	size_t states = 1;

	if (a == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		states += list[i].n;
	classes(a, list, n);
	a->next = malloc(states * a->classes * sizeof(*a->next));
	a->fail = calloc(states, sizeof(*a->fail));
	a->found = malloc(states * sizeof(*a->found));
	a->chain = calloc(states, sizeof(*a->chain));
	a->same = malloc((n + 1) * sizeof(*a->same));
	if (a->next == NULL || a->fail == NULL || a->found == NULL || a->chain == NULL ||
	    a->same == NULL) {
		automaton_free(a);
		return NULL;
	}
	memset(a->next, 0xff, states * a->classes * sizeof(*a->next));
	memset(a->found, 0xff, states * sizeof(*a->found));
	a->n = 1;
	for (size_t i = 0; i < n; i++)
		insert(a, &list[i], (uint32_t)i);
	if (link_up(a) != 0) {
		automaton_free(a);
		return NULL;
	}
	return a;
}

void automaton_find(const struct automaton *a, const unsigned char *p, size_t n,
                    literals_fn fn, void *ctx)
{
	uint32_t state = 0;

	for (size_t i = 0; i < n; i++) {
		state = a->next[state * a->classes + a->class[p[i]]];
		for (uint32_t s = a->found[state] != NONE ? state : a->chain[state];
		     s != 0; s = a->chain[s])
			for (uint32_t id = a->found[s]; id != NONE; id = a->same[id])
				fn(ctx, id, i + 1);
	}
}
