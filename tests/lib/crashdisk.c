/* SPDX-License-Identifier: Apache-2.0 */
#include "crashdisk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512

struct bytes {
	unsigned char *p;
	size_t n, cap;
};

struct pending {
	struct disk_op *op;
	size_t n, cap;
};

struct inode {
	struct bytes now, durable;
	struct pending unsynced;
	struct pending lost; /* a sync of these failed */
};

struct entry {
	char *name;
	int inode;
};

struct directory {
	struct entry *at;
	size_t n, cap;
};

struct disk {
	struct inode *inode;
	size_t inodes, cap;
	struct directory now, durable;
	struct pending names; /* unsynced creates and deletes */
};

/* A test has nothing to say about its own memory running out. */
static void *grow(void *p, size_t *cap, size_t want, size_t size)
{
	size_t c = *cap > 0 ? *cap : 16;

	if (want <= *cap)
		return p;
	while (c < want)
		c *= 2;
	p = realloc(p, c * size);
	if (p == NULL) {
		fputs("crashdisk: out of memory\n", stderr);
		abort();
	}
	*cap = c;
	return p;
}

static void bytes_resize(struct bytes *b, size_t n)
{
	b->p = grow(b->p, &b->cap, n > 0 ? n : 1, 1);
	if (n > b->n)
		memset(b->p + b->n, 0, n - b->n);
	b->n = n;
}

static void bytes_write(struct bytes *b, size_t at, const unsigned char *p, size_t n)
{
	if (n == 0)
		return;
	if (at + n > b->n)
		bytes_resize(b, at + n);
	memcpy(b->p + at, p, n);
}

struct disk_op disk_op_copy(const struct disk_op *op)
{
	struct disk_op copy = *op;

	if (op->name != NULL)
		copy.name = strdup(op->name);
	if (op->data != NULL) {
		size_t cap = 0;

		copy.data = grow(NULL, &cap, op->n + 1, 1);
		memcpy(copy.data, op->data, op->n);
	}
	return copy;
}

void disk_op_free(struct disk_op *op)
{
	free(op->name);
	free(op->data);
}

static void pending_add(struct pending *l, const struct disk_op *op)
{
	l->op = grow(l->op, &l->cap, l->n + 1, sizeof(*l->op));
	l->op[l->n++] = disk_op_copy(op);
}

static void pending_clear(struct pending *l)
{
	for (size_t i = 0; i < l->n; i++)
		disk_op_free(&l->op[i]);
	l->n = 0;
}

static void pending_free(struct pending *l)
{
	pending_clear(l);
	free(l->op);
}

static void change(struct bytes *b, const struct disk_op *op)
{
	if (op->type == DISK_WRITE)
		bytes_write(b, (size_t)op->at, op->data, op->n);
	else
		bytes_resize(b, (size_t)op->at);
}

static void directory_set(struct directory *d, const char *name, int inode)
{
	size_t i;

	for (i = 0; i < d->n && strcmp(d->at[i].name, name) != 0; i++)
		;
	if (i < d->n && inode < 0) {
		free(d->at[i].name);
		d->at[i] = d->at[--d->n];
	} else if (i < d->n) {
		d->at[i].inode = inode;
	} else if (inode >= 0) {
		d->at = grow(d->at, &d->cap, d->n + 1, sizeof(*d->at));
		d->at[d->n++] = (struct entry){ strdup(name), inode };
	}
}

static void directory_change(struct directory *d, const struct disk_op *op)
{
	directory_set(d, op->name, op->type == DISK_CREATE ? op->inode : -1);
}

static void directory_free(struct directory *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->at[i].name);
	free(d->at);
}

struct disk *disk_new(void)
{
	return calloc(1, sizeof(struct disk));
}

void disk_free(struct disk *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->inodes; i++) {
		free(d->inode[i].now.p);
		free(d->inode[i].durable.p);
		pending_free(&d->inode[i].unsynced);
		pending_free(&d->inode[i].lost);
	}
	free(d->inode);
	directory_free(&d->now);
	directory_free(&d->durable);
	pending_free(&d->names);
	free(d);
}

int disk_next_inode(const struct disk *d)
{
	return (int)d->inodes;
}

static int new_inode(struct disk *d)
{
	d->inode = grow(d->inode, &d->cap, d->inodes + 1, sizeof(*d->inode));
	memset(&d->inode[d->inodes], 0, sizeof(*d->inode));
	return (int)d->inodes++;
}

static void sync_inode(struct inode *f, bool failed)
{
	for (size_t i = 0; i < f->unsynced.n; i++) {
		if (failed)
			pending_add(&f->lost, &f->unsynced.op[i]);
		else
			change(&f->durable, &f->unsynced.op[i]);
	}
	pending_clear(&f->unsynced);
}

static void sync_directory(struct disk *d)
{
	for (size_t i = 0; i < d->names.n; i++)
		directory_change(&d->durable, &d->names.op[i]);
	pending_clear(&d->names);
}

void disk_apply(struct disk *d, const struct disk_op *op)
{
	switch (op->type) {
	case DISK_CREATE:
		(void)new_inode(d);
		directory_change(&d->now, op);
		pending_add(&d->names, op);
		break;
	case DISK_DELETE:
		directory_change(&d->now, op);
		pending_add(&d->names, op);
		break;
	case DISK_WRITE:
	case DISK_TRUNCATE:
		change(&d->inode[op->inode].now, op);
		pending_add(&d->inode[op->inode].unsynced, op);
		break;
	case DISK_SYNC:
		sync_inode(&d->inode[op->inode], op->failed);
		break;
	}
	if (op->directory && !op->failed)
		sync_directory(d);
}

int disk_find(const struct disk *d, const char *name)
{
	for (size_t i = 0; i < d->now.n; i++)
		if (strcmp(d->now.at[i].name, name) == 0)
			return d->now.at[i].inode;
	return -1;
}

unsigned char *disk_bytes(struct disk *d, int inode, size_t *n)
{
	*n = d->inode[inode].now.n;
	return d->inode[inode].now.p;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Each sector of a write is there or not, on its own. */
static void tear(struct bytes *b, const struct disk_op *op, uint64_t *seed)
{
	size_t done = 0;

	if (op->type == DISK_TRUNCATE) {
		if (next_random(seed) & 1)
			change(b, op);
		return;
	}
	while (done < op->n) {
		size_t at = (size_t)op->at + done;
		size_t n = SECTOR - at % SECTOR;

		if (n > op->n - done)
			n = op->n - done;
		if (next_random(seed) & 1)
			bytes_write(b, at, op->data + done, n);
		done += n;
	}
}

static void survive(const struct inode *from, struct bytes *to, enum crash_model model,
                    uint64_t *seed)
{
	const struct bytes *kept = model == CRASH_KEEP_ALL ? &from->now : &from->durable;

	bytes_write(to, 0, kept->p != NULL ? kept->p : (const unsigned char *)"",
	            kept->n);
	if (model != CRASH_RANDOM)
		return;
	for (size_t i = 0; i < from->lost.n; i++)
		tear(to, &from->lost.op[i], seed);
	for (size_t i = 0; i < from->unsynced.n; i++)
		tear(to, &from->unsynced.op[i], seed);
}

static void names_survive(const struct disk *d, struct directory *to,
                          enum crash_model model, uint64_t *seed)
{
	size_t extra = 0;

	for (size_t i = 0; i < d->durable.n; i++)
		directory_set(to, d->durable.at[i].name, d->durable.at[i].inode);
	if (model == CRASH_KEEP_ALL)
		extra = d->names.n;
	else if (model == CRASH_RANDOM)
		extra = (size_t)(next_random(seed) % (d->names.n + 1));
	for (size_t i = 0; i < extra; i++)
		directory_change(to, &d->names.op[i]);
}

struct disk *disk_survivor(const struct disk *d, enum crash_model model, uint64_t seed)
{
	struct disk *s = disk_new();
	struct directory names = { 0 };

	if (s == NULL)
		abort();
	names_survive(d, &names, model, &seed);
	for (size_t i = 0; i < names.n; i++) {
		int inode = new_inode(s);
		struct inode *f = &s->inode[inode];

		survive(&d->inode[names.at[i].inode], &f->durable, model, &seed);
		bytes_write(&f->now, 0, f->durable.p, f->durable.n);
		directory_set(&s->now, names.at[i].name, inode);
		directory_set(&s->durable, names.at[i].name, inode);
	}
	directory_free(&names);
	return s;
}
