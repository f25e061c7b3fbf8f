/* SPDX-License-Identifier: Apache-2.0 */
#include "folders.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "mutant.h"
#include "rng.h"
#include "store_row.h"
#include "vault/limits.h"

/* Sets of equal size, chosen by the id, which is a keyed hash: nobody can crowd one. */
#define SETS 128u
#define WAYS 4u
#define ID   32u
#define COST 4096u /* of a folder, beside its names */

struct folder {
	uint64_t used;   /* when it was asked for last, in requests; 0: free */
	struct arena *a; /* the names live in it */
	struct folder_names names;
	int items;
	unsigned char id[ID];
};

struct set {
	uint64_t changed; /* the batch that changed one of its folders last */
	struct folder at[WAYS];
};

struct folders {
	struct set set[SETS];
	uint64_t batch; /* it is also the ticket */
	uint64_t clock;
	size_t bytes; /* of all names, and COST of each folder */
};

/* The first batch has a random number: a ticket from before the vault was sealed is none
 * of these. */
struct folders *folders_new(void)
{
	struct folders *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	rng_bytes(&f->batch, sizeof(f->batch));
	f->batch >>= 1;
	for (unsigned i = 0; i < SETS; i++)
		f->set[i].changed = f->batch;
	return f;
}

static void drop(struct folders *f, struct folder *at)
{
	if (at->used == 0)
		return;
	f->bytes -= at->names.n + COST;
	arena_free(at->a); /* wipes */
	*at = (struct folder){ .used = 0 };
}

void folders_free(struct folders *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < SETS; i++)
		for (unsigned k = 0; k < WAYS; k++)
			drop(f, &f->set[i].at[k]);
	free(f);
}

void folders_batch_begin(struct folders *f)
{
	f->batch++;
}

static struct set *set_of(struct folders *f, const unsigned char id[ID])
{
	return &f->set[id[0] % SETS];
}

static struct folder *find(struct set *s, int items, const unsigned char id[ID])
{
	for (unsigned i = 0; i < WAYS; i++)
		if (s->at[i].used != 0 && s->at[i].items == items &&
		    memcmp(s->at[i].id, id, ID) == 0)
			return &s->at[i];
	return NULL;
}

void folders_changed(struct folders *f, int kind, const unsigned char *parent, size_t n)
{
	struct set *s;

	if (n != ID || (kind != KIND_SECRET && kind != KIND_ENTRY && kind != KIND_DIR))
		return;
	s = set_of(f, parent);
	s->changed = f->batch;
	for (unsigned i = 0; i < WAYS && !MUTANT(MUTANT_MIRROR_KEEPS); i++)
		if (memcmp(s->at[i].id, parent, ID) == 0)
			drop(f, &s->at[i]);
}

uint64_t folders_ticket(const struct core *c)
{
	const struct folders *f = state_folders(c);

	return f != NULL ? f->batch : 0;
}

bool folders_get(struct core *c, enum store_kind items, const unsigned char id[32],
                 struct folder_names *out)
{
	struct folders *f = state_folders(c);
	struct folder *at = f != NULL ? find(set_of(f, id), (int)items, id) : NULL;

	if (at == NULL)
		return false;
	at->used = ++f->clock;
	*out = at->names;
	return true;
}

static struct folder *oldest_in(struct set *s, struct folder *than)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (s->at[i].used != 0 && (than == NULL || s->at[i].used < than->used))
			than = &s->at[i];
	return than;
}

/* The folders that were not asked for the longest give way. */
static void make_room(struct folders *f, size_t n)
{
	while (f->bytes + n + COST > LIMIT_FOLDERS_KEPT) {
		struct folder *oldest = NULL;

		for (unsigned i = 0; i < SETS; i++)
			oldest = oldest_in(&f->set[i], oldest);
		drop(f, oldest);
	}
}

static struct folder *place(struct folders *f, struct set *s, int items,
                            const unsigned char id[ID])
{
	struct folder *at = find(s, items, id);

	for (unsigned i = 0; i < WAYS && at == NULL; i++)
		if (s->at[i].used == 0)
			at = &s->at[i];
	if (at == NULL)
		at = oldest_in(s, NULL);
	drop(f, at);
	return at;
}

void folders_keep(struct core *c, uint64_t ticket, enum store_kind items,
                  const unsigned char id[32], const struct folder_names *names)
{
	struct folders *f = state_folders(c);
	struct set *s = f != NULL ? set_of(f, id) : NULL;
	struct folder *at;
	struct arena *a;

	if (s == NULL || names->n > LIMIT_FOLDER_KEPT || ticket > f->batch ||
	    (ticket <= s->changed && !MUTANT(MUTANT_MIRROR_EAGER)))
		return;
	at = place(f, s, (int)items, id);
	make_room(f, names->n);
	a = arena_new(names->n + COST);
	if (a == NULL)
		return;
	at->names.at = arena_dup(a, names->at, names->n);
	if (at->names.at == NULL) {
		arena_free(a);
		return;
	}
	at->a = a;
	at->names.n = names->n;
	at->used = ++f->clock;
	at->items = (int)items;
	memcpy(at->id, id, ID);
	f->bytes += names->n + COST;
}
