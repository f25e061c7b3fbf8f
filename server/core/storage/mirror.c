/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "mutant.h"

/* Sets of equal size, chosen by the id, which is a keyed hash: nobody can crowd one. */
#define SETS     2048u
#define WAYS     4u
#define ID       32u
#define BODY_MAX 840u
#define PAYLOAD  0 /* no kind of object */

/* Of a payload, the body is its wrapped key and its ciphertext. */
struct slot {
	uint64_t used; /* when it was asked for last, in requests; 0: free */
	int64_t due, version;
	unsigned char id[ID], parent[ID], tag[ID];
	uint16_t parent_len, tag_len, body_len, wrapped_len;
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

/* Tokens and secrets, and the few rows that every request of a host asks for. */
static bool mirrored(int kind, size_t id_len)
{
	return (kind == KIND_TOKEN || kind == KIND_SECRET || kind == KIND_HOST_ROLE ||
	        kind == KIND_SETTING) &&
	       id_len == ID;
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

/* The place for a row that was not written in this batch. */
static struct slot *place(struct mirror *m, int kind, const unsigned char id[ID],
                          size_t n)
{
	struct set *set = set_of(m, id);
	struct slot *s;

	if (n > BODY_MAX || m->batch == 0 ||
	    (set->written == m->batch && !MUTANT(MUTANT_MIRROR_EAGER)))
		return NULL;
	if ((s = find(set, kind, id)) == NULL)
		s = oldest(set);
	memset(s, 0, offsetof(struct slot, body) + s->body_len);
	s->used = ++m->clock;
	s->kind = (uint8_t)kind;
	s->body_len = (uint16_t)n;
	memcpy(s->id, id, ID);
	return s;
}

void mirror_keep(struct mirror *m, const struct store_row *row,
                 const unsigned char *plain, size_t n)
{
	struct slot *s;

	if (m == NULL || !mirrored(row->kind, row->id_len) ||
	    (s = place(m, row->kind, row->id, n)) == NULL)
		return;
	s->due = row->due;
	s->version = row->version;
	copy(s->parent, row->parent, row->parent_len);
	copy(s->tag, row->tag, row->tag_len);
	s->parent_len = (uint16_t)row->parent_len;
	s->tag_len = (uint16_t)row->tag_len;
	memcpy(s->body, plain, n);
}

static void forget(struct mirror *m, int kind, const unsigned char id[ID])
{
	struct set *set = set_of(m, id);
	struct slot *s = find(set, kind, id);

	set->written = m->batch;
	if (s != NULL && !MUTANT(MUTANT_MIRROR_KEEPS))
		memset(s, 0, sizeof(*s));
}

void mirror_forget(struct mirror *m, const struct store_row *row)
{
	if (m != NULL && mirrored(row->kind, row->id_len))
		forget(m, row->kind, row->id);
}

/* One version of a secret is mirrored, the one that was read last. */
bool mirror_get_payload(struct mirror *m, struct payload_row *row)
{
	struct slot *s = m != NULL ? find(set_of(m, row->secret), PAYLOAD, row->secret)
	                           : NULL;

	if (s == NULL || s->version != row->version)
		return false;
	s->used = ++m->clock;
	row->wrapped = s->body;
	row->wrapped_len = s->wrapped_len;
	row->sealed = s->body + s->wrapped_len;
	row->sealed_len = (size_t)s->body_len - s->wrapped_len;
	return true;
}

void mirror_keep_payload(struct mirror *m, const struct payload_row *row)
{
	size_t wrapped = row->wrapped_len, n = wrapped + row->sealed_len;
	struct slot *s = m != NULL ? place(m, PAYLOAD, row->secret, n) : NULL;

	if (s == NULL)
		return;
	s->version = row->version;
	s->wrapped_len = (uint16_t)wrapped;
	memcpy(s->body, row->wrapped, wrapped);
	memcpy(s->body + wrapped, row->sealed, row->sealed_len);
}

void mirror_forget_payload(struct mirror *m, const struct payload_row *row)
{
	if (m != NULL)
		forget(m, PAYLOAD, row->secret);
}
