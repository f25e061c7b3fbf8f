/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "audit_record.h"
#include "note.h"
#include "sim.h"
#include "text.h"
#include "vault/limits.h"

#define PAGE 200

static bool differs(char *why, size_t cap, const char *path, const char *what,
                    int version)
{
	snprintf(why, cap, "%s: %s %d", path, what, version);
	return false;
}

static bool check_version(struct world *w, struct model *m, struct arena *a, int i,
                          int version, char *why, size_t cap)
{
	struct m_version *v = &m->path[i].v[version % VERSIONS];
	struct value *query = value_object(a), *reply = NULL;
	const struct value *got;
	char want[48];
	int status;

	value_set_int(a, query, "version", version);
	status = world_ask(w, a, HTTP_GET,
	                   arena_printf(a, "secret/data/%s", sim_paths[i]), w->root,
	                   query, &reply);
	if (v->state != VER_LIVE)
		return status == 404 ? true
		                     : differs(why, cap, sim_paths[i], "serves", version);
	if (status != 200)
		return differs(why, cap, sim_paths[i], "has lost version", version);
	got = value_get(value_get(value_get(reply, "data"), "data"), "v");
	if (v->tag == 0 && v->text[0] == '\0') {
		if (got == NULL || got->len < 8 || memcmp(got->text, "value-", 6) == 0)
			return differs(why, cap, sim_paths[i], "was not rotated",
			               version);
		return true;
	}
	if (v->tag != 0)
		model_value(v->tag, want);
	else
		snprintf(want, sizeof(want), "%s", v->text);
	if (!value_is_str(got, want))
		return differs(why, cap, sim_paths[i], "has another value at version",
		               version);
	return true;
}

static bool check_path(struct world *w, struct model *m, struct arena *a, int i,
                       char *why, size_t cap)
{
	const struct m_path *p = &m->path[i];
	struct value *reply = NULL;
	int64_t current;
	int status = world_ask(w, a, HTTP_GET,
	                       arena_printf(a, "secret/metadata/%s", sim_paths[i]),
	                       w->root, NULL, &reply);

	if (!p->exists)
		return status == 404 ? true
		                     : differs(why, cap, sim_paths[i], "exists", 0);
	if (status != 200)
		return differs(why, cap, sim_paths[i], "is gone, status", status);
	current = value_int_or(value_get(reply, "data"), "current_version", -1);
	if (current != p->current)
		return differs(why, cap, sim_paths[i], "is at version", (int)current);
	for (int v = p->current; v > 0 && v > p->current - KEEP; v--)
		if (!check_version(w, m, a, i, v, why, cap))
			return false;
	return true;
}

static bool check_flat(struct world *w, struct model *m, struct arena *a, int i,
                       char *why, size_t cap)
{
	struct value *reply = NULL;
	char want[48];
	int status = world_ask(w, a, HTTP_GET, arena_printf(a, "flat/%s", sim_paths[i]),
	                       w->root, NULL, &reply);

	if (m->flat[i] == 0)
		return status == 404 ? true
		                     : differs(why, cap, sim_paths[i],
		                               "is back below flat/", 0);
	model_value(m->flat[i], want);
	if (status != 200 ||
	    !value_is_str(value_get(value_get(reply, "data"), "v"), want))
		return differs(why, cap, sim_paths[i], "is not as written below flat/",
		               status);
	return true;
}

static bool check_mount(struct world *w, struct model *m, struct arena *a, char *why,
                        size_t cap)
{
	struct value *reply = NULL;
	int status = world_ask(w, a, HTTP_GET, "sys/mounts/flat", w->root, NULL, &reply);

	return status == (m->mounted ? 200 : 400)
	               ? true
	               : differs(why, cap, "flat/", m->mounted ? "is gone" : "is mounted",
	                         status);
}

static bool check_token(struct world *w, struct model *m, struct arena *a, int i,
                        char *why, size_t cap)
{
	const struct m_token *t = &m->token[i];
	bool clear = t->expires_wall == 0 ||
	             (w->wall < t->expires_wall && w->boot < t->expires_boot);
	bool batch = t->accessor[0] == '\0';
	struct value *body = value_object(a), *reply = NULL;
	int status;

	if (t->text[0] == '\0' || !t->used)
		return true;
	value_set_str(a, body, batch ? "token" : "accessor",
	              batch ? t->text : t->accessor);
	status = world_ask(w, a, HTTP_POST,
	                   batch ? "auth/token/lookup" : "auth/token/lookup-accessor",
	                   w->root, body, &reply);
	if (!t->alive)
		return status != 200 ? true
		                     : differs(why, cap, "token", "lives again:", i);
	if (!clear || t->maybe)
		return true;
	if (status != 200)
		return differs(why, cap, "token", "is gone:", i);
	if (t->uses > 0 &&
	    value_int_or(value_get(reply, "data"), "num_uses", -1) != t->uses)
		return differs(why, cap, "token", "has other uses left:", i);
	return true;
}

static bool check_wrap(struct world *w, struct model *m, struct arena *a, int i,
                       char *why, size_t cap)
{
	const struct m_wrap *wrap = &m->wrap[i];
	struct value *body = value_object(a);
	int status;

	if (!wrap->used || wrap->text[0] == '\0')
		return true;
	value_set_str(a, body, "token", wrap->text);
	status = world_ask(w, a, HTTP_POST, "sys/wrapping/lookup", NULL, body, NULL);
	if (!wrap->alive)
		return status != 200 ? true
		                     : differs(why, cap, "wrap", "lives again:", i);
	if (wrap->maybe || w->wall >= wrap->expires_wall || w->boot >= wrap->expires_boot)
		return true;
	return status == 200 ? true : differs(why, cap, "wrap", "is gone:", i);
}

static bool check_policy(struct world *w, struct model *m, struct arena *a, char *why,
                         size_t cap)
{
	struct value *reply = NULL;
	const struct value *text;
	bool dir;

	if (world_ask(w, a, HTTP_GET, "sys/policies/acl/reader", w->root, NULL, &reply) !=
	    200)
		return differs(why, cap, "policy", "is gone", 0);
	text = value_get(value_get(reply, "data"), "policy");
	dir = text != NULL && memmem(text->text, text->len, "dir/", 4) != NULL;
	if (dir != (m->reader_may == 0))
		return differs(why, cap, "policy", "is the other one", m->reader_may);
	return true;
}

bool oracle_state(struct world *w, struct model *m, char *why, size_t cap)
{
	struct arena *a = arena_new(LIMIT_REQUEST_ARENA);
	bool ok = a != NULL && check_policy(w, m, a, why, cap) &&
	          check_mount(w, m, a, why, cap);

	for (int i = 0; i < PATHS && ok; i++) {
		ok = check_path(w, m, a, i, why, cap) && check_flat(w, m, a, i, why, cap);
		arena_reset(a);
	}
	for (int i = 0; i < TOKENS && ok; i++) {
		ok = check_token(w, m, a, i, why, cap);
		arena_reset(a);
	}
	for (int i = 0; i < WRAPS && ok; i++) {
		ok = check_wrap(w, m, a, i, why, cap);
		arena_reset(a);
	}
	arena_free(a);
	return ok;
}

/* --- the audit log, judged by code of its own */

struct leaves {
	unsigned char (*hash)[32];
	size_t n, cap;
	int *found; /* per seen request: records */
};

static void node(const unsigned char *l, const unsigned char *r, unsigned char out[32])
{
	crypto_hash_sha256_state h;
	const unsigned char one = 1;

	crypto_hash_sha256_init(&h);
	crypto_hash_sha256_update(&h, &one, 1);
	crypto_hash_sha256_update(&h, l, 32);
	crypto_hash_sha256_update(&h, r, 32);
	crypto_hash_sha256_final(&h, out);
}

/* RFC 6962 §2.1, as it is written there. */
static void tree_root(unsigned char (*leaf)[32], size_t n, unsigned char out[32])
{
	unsigned char l[32], r[32];
	size_t k = 1;

	if (n == 0) {
		crypto_hash_sha256(out, NULL, 0);
		return;
	}
	if (n == 1) {
		memcpy(out, leaf[0], 32);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	tree_root(leaf, k, l);
	tree_root(leaf + k, n - k, r);
	node(l, r, out);
}

static int compare_ids(const void *x, const void *y)
{
	return memcmp(((const struct seen *)x)->id, ((const struct seen *)y)->id, 36);
}

static void count_record(struct world *w, struct leaves *lv, const struct value *id)
{
	struct seen key, *hit;

	if (id == NULL || id->len != 36)
		return;
	memcpy(key.id, id->text, 36);
	hit = bsearch(&key, w->seen, (size_t)w->nseen, sizeof(key), compare_ids);
	if (hit != NULL)
		lv->found[hit - w->seen]++;
}

static size_t bytes_of(const struct value *v, unsigned char *out, size_t cap)
{
	long n;

	if (v == NULL || v->len > cap)
		return 0;
	if (v->type == V_BYTES) {
		memcpy(out, v->text, v->len);
		return v->len;
	}
	n = text_unbase64(v->text, v->len, out, cap);
	return n > 0 ? (size_t)n : 0;
}

static void take_entry(struct world *w, struct arena *a, struct leaves *lv,
                       const struct value *entry)
{
	static unsigned char record[65536], envelope[65536], buf[16 + 65536];
	unsigned char salt[16], digest[32], want[32], idx[8];
	int64_t index = value_int_or(entry, "index", -1);
	size_t rn = bytes_of(value_get(entry, "record"), record, sizeof(record));
	size_t en = bytes_of(value_get(entry, "envelope"), envelope, sizeof(envelope));
	crypto_hash_sha256_state h;
	const unsigned char zero = 0;
	struct value *rec;

	if (index != (int64_t)lv->n ||
	    bytes_of(value_get(entry, "salt"), salt, 16) != 16 ||
	    bytes_of(value_get(entry, "commit"), digest, 32) != 32 || rn == 0 ||
	    en == 0) {
		fail(w, "audit: entry %zu is not complete", lv->n);
		return;
	}
	memcpy(buf, salt, 16);
	memcpy(buf + 16, record, rn);
	crypto_hash_sha256(want, buf, 16 + rn);
	if (memcmp(want, digest, 32) != 0)
		fail(w, "audit: record %zu does not fit its digest", lv->n);
	for (int i = 7; i >= 0; i--, index >>= 8)
		idx[i] = (unsigned char)index;
	if (lv->n == lv->cap) {
		lv->cap = lv->cap > 0 ? lv->cap * 2 : 1024;
		lv->hash = realloc(lv->hash, lv->cap * 32);
	}
	crypto_hash_sha256_init(&h);
	crypto_hash_sha256_update(&h, &zero, 1);
	crypto_hash_sha256_update(&h, idx, 8);
	crypto_hash_sha256_update(&h, digest, 32);
	crypto_hash_sha256_update(&h, envelope, en);
	crypto_hash_sha256_final(&h, lv->hash[lv->n++]);
	if (value_decode(a, record, rn, &rec, NULL) == ERR_OK) {
		/* a watch has a record of its own when it is parked */
		if (!value_is_str(value_at(rec, AUDIT_F_OPERATION), "watch-start"))
			count_record(w, lv, value_at(rec, AUDIT_F_REQUEST_ID));
		if (w->on_record != NULL)
			w->on_record(w, rec);
	} else {
		fail(w, "audit: record %zu cannot be decoded", lv->n - 1);
	}
}

/* The head's first three lines: origin, size, root. */
static void check_head(struct world *w, struct arena *a, struct leaves *lv,
                       const struct value *checkpoint)
{
	unsigned char root[32], stated[32];
	struct note_checkpoint cp;
	char *text = value_to_cstr(checkpoint, a);

	if (text == NULL ||
	    note_checkpoint_parse(text, strlen(text), &cp, NULL) != ERR_OK) {
		fail(w, "audit: no signed head");
		return;
	}
	memcpy(stated, cp.root, 32);
	if (cp.size > lv->n) {
		fail(w, "audit: the head covers %llu records, %zu are there",
		     (unsigned long long)cp.size, lv->n);
		return;
	}
	tree_root(lv->hash, (size_t)cp.size, root);
	if (memcmp(root, stated, 32) != 0)
		fail(w, "audit: the tree does not have the root that the head states");
}

void oracle_audit(struct world *w)
{
	struct arena *a = arena_new(LIMIT_REQUEST_ARENA);
	struct leaves lv = { .found = calloc(REQUESTS_MAX, sizeof(int)) };
	struct value *reply = NULL, *query, *entries;
	int judged = w->nseen;

	qsort(w->seen, (size_t)w->nseen, sizeof(*w->seen), compare_ids);
	for (;;) {
		query = value_object(a);
		value_set_int(a, query, "from", (int64_t)lv.n);
		value_set_int(a, query, "limit", PAGE);
		w->nseen = judged; /* what the oracle asks is not looked for: it is not
		                      all there yet */
		if (world_ask(w, a, HTTP_GET, "sys/audit-log/export", w->root, query,
		              &reply) != 200) {
			fail(w, "audit: the export was refused");
			break;
		}
		w->nseen = judged;
		entries = value_get(value_get(reply, "data"), "entries");
		for (const struct value *en = entries != NULL ? entries->first : NULL;
		     en != NULL; en = en->next)
			take_entry(w, a, &lv, en);
		if (entries == NULL || entries->len < PAGE || w->failure[0] != '\0')
			break;
		arena_reset(a);
	}
	if (w->failure[0] == '\0')
		check_head(w, a, &lv, value_get(value_get(reply, "data"), "checkpoint"));
	for (int i = 0; i < judged && w->failure[0] == '\0'; i++)
		if (lv.found[i] != 1 && !(lv.found[i] == 0 && w->seen[i].foldable))
			fail(w, "audit: request %s has %d records", w->seen[i].id,
			     lv.found[i]);
	free(lv.hash);
	free(lv.found);
	arena_free(a);
}
