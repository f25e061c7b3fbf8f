/* SPDX-License-Identifier: Apache-2.0 */
#include "verify.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "verify_tree.h"

#define SHIFT_MAX 1000u

/* A signed head that the tree must pass through. */
struct point {
	uint64_t size;
	unsigned char root[32];
	const char *keeper; /* who kept it: "" is the caller; NULL: stored in the log */
};

struct run {
	struct verify_source *src;
	const struct verify_options *o;
	struct verify_report *out;
	struct point *point;
	size_t points, cap, at;
	bool bad_head;
	uint64_t bad_head_at; /* how many good ones came before */
	uint64_t newest;      /* size of the newest stored head */
	struct vtree tree;
	unsigned char recent[SHIFT_MAX][32]; /* leaf of record n at n % SHIFT_MAX */
};

static int fault(struct run *r, enum verify_fault kind, uint64_t bad, const char *fmt,
                 ...) PRINTF(4, 5);

static int fault(struct run *r, enum verify_fault kind, uint64_t bad, const char *fmt,
                 ...)
{
	va_list ap;

	r->out->fault = kind;
	r->out->bad = bad;
	va_start(ap, fmt);
	vsnprintf(r->out->text, sizeof(r->out->text), fmt, ap);
	va_end(ap);
	return ERR_VERIFY;
}

static int add_point(struct run *r, const struct note_checkpoint *cp, const char *keeper,
                     struct err *e)
{
	size_t at = r->points;

	if (r->points == r->cap) {
		size_t cap = r->cap > 0 ? 2 * r->cap : 64;
		struct point *p = realloc(r->point, cap * sizeof(*p));

		if (p == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		r->point = p;
		r->cap = cap;
	}
	/* They come in order, but for what witnesses kept. */
	for (; at > 0 && r->point[at - 1].size > cp->size; at--)
		r->point[at] = r->point[at - 1];
	r->point[at].size = cp->size;
	r->point[at].keeper = keeper;
	memcpy(r->point[at].root, cp->root, sizeof(cp->root));
	r->points++;
	return ERR_OK;
}

static int take_heads(struct run *r, struct err *e)
{
	struct note_checkpoint cp;
	struct verify_head h;
	enum verify_next next;
	struct err why;
	int rc;

	while ((next = r->src->head(r->src->ctx, &h, e)) != VERIFY_END) {
		if (next == VERIFY_FAILED)
			return (int)e->code;
		if (next == VERIFY_DAMAGED ||
		    note_checkpoint_verify(h.note, h.n, &r->o->key, &cp, &why) !=
		            ERR_OK) {
			if (!r->bad_head)
				r->bad_head_at = r->points;
			r->bad_head = true;
			continue;
		}
		if ((rc = add_point(r, &cp, NULL, e)) != ERR_OK)
			return rc;
		if (cp.size > r->newest)
			r->newest = cp.size;
	}
	return ERR_OK;
}

static int take_witness(struct run *r, struct err *e)
{
	struct note_checkpoint cp;
	int rc;

	if (r->o->witness == NULL)
		return ERR_OK;
	rc = note_checkpoint_verify(r->o->witness, r->o->witness_len, &r->o->key, &cp, e);
	if (rc != ERR_OK)
		return err_set(
			e, ERR_INVALID,
			"the checkpoint given to compare with is not signed by that key");
	r->out->witness = cp.size;
	return add_point(r, &cp, "", e);
}

static bool cosigned(const struct verify_witness *w, size_t n)
{
	static const char context[] = "vault/cosign/v1";
	unsigned char msg[sizeof(context) + NOTE_CHECKPOINT_MAX];

	if (n > NOTE_CHECKPOINT_MAX)
		return false;
	memcpy(msg, context, sizeof(context));
	memcpy(msg + sizeof(context), w->note, n);
	return crypto_sign_verify_detached(w->signature, msg, sizeof(context) + n,
	                                   w->key) == 0;
}

static int take_host(struct run *r, const struct verify_witness *w, struct err *e)
{
	struct note_checkpoint cp;
	size_t body = 0;

	if (note_checkpoint_verify(w->note, w->n, &r->o->key, &cp, e) != ERR_OK ||
	    note_verify(w->note, w->n, &r->o->key, 1, &body, e) != ERR_OK)
		return err_set(e, ERR_INVALID,
		               "what host \"%.128s\" has co-signed is not signed by that "
		               "key",
		               w->host);
	if (!cosigned(w, body))
		return err_set(e, ERR_INVALID,
		               "the co-signature of host \"%.128s\" is not valid",
		               w->host);
	if (cp.size > r->out->witness)
		r->out->witness = cp.size;
	return add_point(r, &cp, w->host, e);
}

static int take_hosts(struct run *r, struct err *e)
{
	int rc = ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < r->o->n_hosts; i++)
		rc = take_host(r, &r->o->hosts[i], e);
	return rc;
}

static unsigned long long num(uint64_t n)
{
	return (unsigned long long)n;
}

/* "the checkpoint that was kept", or by which host. */
static const char *named(const char *keeper, char out[192])
{
	if (keeper[0] == '\0')
		return "the checkpoint that was kept";
	snprintf(out, 192, "the checkpoint that host \"%.128s\" has co-signed", keeper);
	return out;
}

/* The tree has reached the size of one or more heads. */
static int pass_points(struct run *r)
{
	unsigned char root[32];
	char name[192];

	if (r->at == r->points || r->point[r->at].size != r->tree.leaves)
		return ERR_OK;
	vtree_root(&r->tree, root);
	for (; r->at < r->points && r->point[r->at].size == r->tree.leaves; r->at++) {
		const struct point *p = &r->point[r->at];

		if (memcmp(root, p->root, sizeof(root)) == 0) {
			r->out->heads++;
			r->out->hosts += p->keeper != NULL && p->keeper[0] != '\0';
			r->out->proven = p->size;
			continue;
		}
		if (p->keeper != NULL)
			return fault(r, FAULT_FORK, r->out->proven,
			             "%s, of %llu records, is of another history",
			             named(p->keeper, name), num(p->size));
		r->out->first = r->out->proven;
		return fault(
			r, FAULT_SOMEWHERE, p->size - 1,
			"records %llu to %llu do not have the root that was signed: at least "
			"one of them was changed together with its leaf hash",
			num(r->out->proven), num(p->size - 1));
	}
	return ERR_OK;
}

/* A leaf hash that fits the same content some places earlier: a copy of what stands
 * there, or else that many records were put in. */
static int name_changed(struct run *r, const struct verify_record *v)
{
	uint64_t at = r->tree.leaves;
	unsigned char leaf[32];

	for (uint64_t shift = 1; shift <= SHIFT_MAX && shift <= at; shift++) {
		vtree_record_leaf(at - shift, v->digest, v->envelope, v->envelope_len,
		                  leaf);
		if (memcmp(leaf, v->leaf, sizeof(leaf)) != 0)
			continue;
		if (memcmp(leaf, r->recent[(at - shift) % SHIFT_MAX], sizeof(leaf)) == 0)
			return fault(r, FAULT_INSERTED, at,
			             "record %llu is a copy of record %llu", num(at),
			             num(at - shift));
		return fault(r, FAULT_INSERTED, at - shift,
		             "record %llu was put in: what follows was moved by %llu",
		             num(at - shift), num(shift));
	}
	return fault(r, FAULT_CHANGED, at, "record %llu was changed", num(at));
}

static int check_record(struct run *r, const struct verify_record *v)
{
	uint64_t at = r->tree.leaves;
	unsigned char hash[32];

	if (v->index != at)
		return fault(r, FAULT_MISSING, at,
		             "record %llu is missing: record %llu stands in its place",
		             num(at), num(v->index));
	if (v->record != NULL) {
		vtree_record_digest(v->salt, v->record, v->record_len, hash);
		if (memcmp(hash, v->digest, sizeof(hash)) != 0)
			return fault(r, FAULT_CHANGED, at,
			             "record %llu does not match its digest", num(at));
	}
	vtree_record_leaf(at, v->digest, v->envelope, v->envelope_len, hash);
	if (memcmp(hash, v->leaf, sizeof(hash)) != 0)
		return name_changed(r, v);
	memcpy(r->recent[at % SHIFT_MAX], hash, sizeof(hash));
	vtree_add(&r->tree, hash);
	return pass_points(r);
}

static int take_records(struct run *r, struct err *e)
{
	struct verify_record v;
	enum verify_next next;
	int rc;

	while ((next = r->src->record(r->src->ctx, &v, e)) != VERIFY_END) {
		if (next == VERIFY_FAILED)
			return (int)e->code;
		r->out->records++;
		if (next == VERIFY_DAMAGED)
			return fault(r, FAULT_CHANGED, r->tree.leaves,
			             "record %llu cannot be read", num(r->tree.leaves));
		if ((rc = check_record(r, &v)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

/* The last of those that somebody kept: the one that reaches farthest. */
static const struct point *largest(const struct run *r)
{
	size_t i = r->points - 1;

	while (i > 0 && r->point[i].keeper == NULL)
		i--;
	return &r->point[i];
}

/* All records that are there are good: do they reach as far as they should, and no
 * farther? */
static int check_end(struct run *r)
{
	uint64_t size = r->tree.leaves;
	char name[192];

	if (r->bad_head)
		return fault(
			r, FAULT_HEAD, 0,
			"a signed head (the one after %llu good ones) is damaged or not signed "
			"by this key",
			num(r->bad_head_at));
	if (size < r->newest)
		return fault(
			r, FAULT_MISSING, size,
			"record %llu is missing: the log ends before its signed head of %llu",
			num(size), num(r->newest));
	if (size < r->out->witness)
		return fault(r, FAULT_CUT, size,
		             "records from %llu on were cut off: %s covers %llu",
		             num(size), named(largest(r)->keeper, name),
		             num(r->out->witness));
	if (size > r->newest)
		return fault(r, FAULT_INSERTED, r->newest,
		             "record %llu is not covered by any signed head",
		             num(r->newest));
	r->out->end_proven = r->o->witness != NULL || r->o->n_hosts > 0;
	return ERR_OK;
}

static int run_all(struct run *r, struct err *e)
{
	int rc;

	if ((rc = take_witness(r, e)) != ERR_OK || (rc = take_hosts(r, e)) != ERR_OK ||
	    (rc = take_heads(r, e)) != ERR_OK || (rc = pass_points(r)) != ERR_OK ||
	    (rc = take_records(r, e)) != ERR_OK)
		return rc;
	vtree_root(&r->tree, r->out->root);
	return check_end(r);
}

int verify_log(struct verify_source *src, const struct verify_options *o,
               struct verify_report *report, struct err *e)
{
	struct run r = { .src = src, .o = o, .out = report };
	int rc;

	memset(report, 0, sizeof(*report));
	rc = run_all(&r, e);
	free(r.point);
	if (rc == ERR_VERIFY && report->fault != FAULT_NONE)
		return err_set(e, ERR_VERIFY, "%s", report->text);
	return rc;
}

void verify_close(struct verify_source *src)
{
	if (src->close != NULL)
		src->close(src->ctx);
	memset(src, 0, sizeof(*src));
}
