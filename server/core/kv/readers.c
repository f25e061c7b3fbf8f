/* SPDX-License-Identifier: Apache-2.0 */
#include "readers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

/* Sets of equal size, chosen by the secret: looking one up and making room stay cheap. */
#define SETS    64u
#define WAYS    (READERS_MAX / SETS)
#define PENDING 512u /* notes of one batch; more are dropped */

struct entry {
	unsigned char secret[32];
	int64_t last_ms; /* 0: free */
	char who[READERS_WHO_MAX];
};

struct readers {
	struct entry at[SETS][WAYS];
	struct entry pending[PENDING];
	size_t n;
};

static struct entry *set_of(struct readers *m, const unsigned char secret[32])
{
	return m->at[secret[0] % SETS];
}

static void remember(struct readers *m, const struct entry *note)
{
	struct entry *set = set_of(m, note->secret), *victim = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].last_ms != 0 && memcmp(set[i].secret, note->secret, 32) == 0 &&
		    strcmp(set[i].who, note->who) == 0) {
			victim = &set[i];
			break;
		}
		if (set[i].last_ms < victim->last_ms)
			victim = &set[i];
	}
	*victim = *note;
}

static void flush(void *arg)
{
	struct core *c = arg;

	if (c->readers == NULL)
		return;
	for (size_t i = 0; i < c->readers->n; i++)
		remember(c->readers, &c->readers->pending[i]);
	c->readers->n = 0;
}

static void drop_last(void *arg)
{
	struct core *c = arg;

	if (c->readers != NULL && c->readers->n > 0)
		c->readers->n--;
}

void readers_note(struct core *c, const unsigned char secret_id[32], const char *who,
                  int64_t now)
{
	struct readers *m = c->readers;
	struct entry *note;
	size_t n = strlen(who);

	if (m == NULL)
		m = c->readers = calloc(1, sizeof(*m));
	if (m == NULL || m->n == PENDING)
		return;
	note = &m->pending[m->n++];
	memcpy(note->secret, secret_id, 32);
	note->last_ms = now;
	if (n >= sizeof(note->who))
		n = sizeof(note->who) - 1;
	memcpy(note->who, who, n);
	note->who[n] = '\0';
	core_undo(c, drop_last, c);
	if (m->n == 1)
		core_after_commit(c, flush, c);
}

static int latest_first(const void *x, const void *y)
{
	const struct entry *a = *(const struct entry *const *)x;
	const struct entry *b = *(const struct entry *const *)y;

	return (a->last_ms < b->last_ms) - (a->last_ms > b->last_ms);
}

struct value *readers_list(struct core *c, struct arena *a,
                           const unsigned char secret_id[32])
{
	struct value *list = value_array(a);
	const struct entry *found[WAYS];
	size_t n = 0;

	if (c->readers == NULL)
		return list;
	for (size_t i = 0; i < WAYS; i++) {
		const struct entry *en = &set_of(c->readers, secret_id)[i];

		if (en->last_ms != 0 && memcmp(en->secret, secret_id, 32) == 0)
			found[n++] = en;
	}
	qsort(found, n, sizeof(const struct entry *), latest_first);
	for (size_t i = 0; i < n; i++) {
		struct value *o = value_object(a);
		char when[CLOCK_RFC3339_MAX];

		clock_rfc3339(found[i]->last_ms, when);
		value_set_str(a, o, "who", arena_str(a, found[i]->who));
		value_set_str(a, o, "last", arena_str(a, when));
		value_add(list, o);
	}
	return list;
}

void readers_free(struct core *c)
{
	if (c->readers != NULL)
		sodium_memzero(c->readers, sizeof(*c->readers));
	free(c->readers);
	c->readers = NULL;
}
