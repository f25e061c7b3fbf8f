/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "mutant.h"

/* Sets of equal size, chosen by the id, which is a keyed hash: nobody can crowd one. */
#define SETS     1024u
#define WAYS     4u
#define ID       32u
#define BODY_MAX 840u

struct slot {
	uint64_t used; /* when it was asked for last, in requests; 0: free */
	int64_t due, version;
	unsigned char id[ID], parent[ID], tag[ID];
	uint16_t parent_len, tag_len, body_len;
	uint8_t kind;
	unsigned char body[BODY_MAX];
};

struct set {
	uint64_t written; /* the batch that wrote one of its rows last */
	struct slot slot[WAYS];
};

struct mirror {
	struct arena *a; /* the sets live in it */
	struct set *set;
	uint64_t batch; /* 0: opened in this one */
	uint64_t clock;
};

struct mirror *mirror_new(void)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->a = arena_new(SETS * sizeof(struct set));
	m->set = m->a != NULL ? arena_alloc(m->a, SETS * sizeof(struct set)) : NULL;
	if (m->set == NULL) {
		mirror_free(m);
		return NULL;
	}
	return m;
}

void mirror_free(struct mirror *m)
{
	if (m != NULL)
		arena_free(m->a); /* wipes */
	free(m);
}

void mirror_batch_begin(struct mirror *m)
{
	m->batch++;
}

static bool mirrored(int kind, size_t id_len)
{
	return (kind == KIND_TOKEN || kind == KIND_SECRET) && id_len == ID;
}

static struct set *set_of(const struct mirror *m, const unsigned char id[ID])
{
	return &m->set[(id[0] | (unsigned)id[1] << 8) % SETS];
}

static struct slot *find(struct set *s, int kind, const unsigned char id[ID])
{
	for (unsigned i = 0; i < WAYS; i++)
		if (s->slot[i].used != 0 && memcmp(s->slot[i].id, id, ID) == 0 &&
		    s->slot[i].kind == kind)
			return &s->slot[i];
	return NULL;
}

static struct slot *oldest(struct set *s)
{
	struct slot *at = &s->slot[0];

	for (unsigned i = 1; i < WAYS; i++)
		if (s->slot[i].used < at->used)
			at = &s->slot[i];
	return at;
}

bool mirror_get(struct mirror *m, struct arena *a, enum store_kind kind, const void *id,
                size_t n, struct store_object *out)
{
	const unsigned char *body;
	struct slot *s;
	struct err e;

	if (m == NULL || !mirrored((int)kind, n) ||
	    (s = find(set_of(m, id), (int)kind, id)) == NULL)
		return false;
	body = arena_dup(a, s->body, s->body_len);
	if (body == NULL || value_decode(a, body, s->body_len, &out->body, &e) != ERR_OK)
		return false; /* the long way reports it */
	s->used = ++m->clock;
	out->kind = kind;
	memcpy(out->id, s->id, ID);
	memcpy(out->parent, s->parent, ID);
	memcpy(out->tag, s->tag, ID);
	out->id_len = ID;
	out->parent_len = s->parent_len;
	out->tag_len = s->tag_len;
	out->due = s->due;
	out->version = s->version;
	return true;
}

static void copy(unsigned char to[ID], const unsigned char *from, size_t n)
{
	memset(to, 0, ID);
	if (from != NULL)
		memcpy(to, from, n);
}

void mirror_keep(struct mirror *m, const struct store_row *row,
                 const unsigned char *plain, size_t n)
{
	struct set *set;
	struct slot *s;

	if (m == NULL || !mirrored(row->kind, row->id_len) || n > BODY_MAX ||
	    m->batch == 0)
		return;
	set = set_of(m, row->id);
	if (set->written == m->batch && !MUTANT(MUTANT_MIRROR_EAGER))
		return;
	if ((s = find(set, row->kind, row->id)) == NULL)
		s = oldest(set);
	memset(s->body, 0, s->body_len);
	s->used = ++m->clock;
	s->kind = (uint8_t)row->kind;
	s->due = row->due;
	s->version = row->version;
	copy(s->id, row->id, row->id_len);
	copy(s->parent, row->parent, row->parent_len);
	copy(s->tag, row->tag, row->tag_len);
	s->parent_len = (uint16_t)row->parent_len;
	s->tag_len = (uint16_t)row->tag_len;
	s->body_len = (uint16_t)n;
	memcpy(s->body, plain, n);
}

void mirror_forget(struct mirror *m, const struct store_row *row)
{
	struct set *set;
	struct slot *s;

	if (m == NULL || !mirrored(row->kind, row->id_len))
		return;
	set = set_of(m, row->id);
	set->written = m->batch;
	s = find(set, row->kind, row->id);
	if (s != NULL && !MUTANT(MUTANT_MIRROR_KEEPS))
		memset(s, 0, sizeof(*s));
}
