/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_leak - leak packs, and what a scanner has found with one.
 *
 * Who may ask for a pack learns nothing about what is in it but how many values there are
 * and how long they are.  Who may resolve learns the names of those that they may read.
 */
#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "database.h"
#include "entry.h"
#include "leak.h"
#include "leak_bits.h"
#include "policy.h"
#include "rng.h"
#include "route.h"
#include "text.h"
#include "wait.h"

#define SCRATCH     ((size_t)16 * 1024 * 1024)
#define SLICE       8    /* rows of secrets, with all their versions */
#define PAGE        4096 /* values in an answer */
#define RESOLVE_MAX 256

/* --- a pack ---------------------------------------------------------------------------
 */

struct packing {
	unsigned char box[crypto_box_PUBLICKEYBYTES];
	unsigned char pack[LEAK_PACK_ID];
	unsigned char wire[LEAK_KEY_BYTES];
	struct leak_key key;
	/* where it has got to */
	enum store_kind kind;
	unsigned char after[32];
	bool started;
	/* what there is */
	unsigned char *entries; /* room for two pages: a row fills one, or more */
	size_t n, room;
	int64_t unfit; /* texts: too easy to guess, too short, too long, too many */
};

struct row {
	struct req *r;
	struct arena *a;  /* of the slice */
	struct arena *of; /* of one version */
	struct packing *p;
	struct leak_place at;
	bool current;
};

static int take_value(void *ctx, const struct leak_leaf *l)
{
	struct row *w = ctx;
	struct packing *p = w->p;
	struct leak_entry en = { .flags = w->current ? LEAK_FLAG_CURRENT : 0 };
	const unsigned char *text = (const unsigned char *)l->text;

	if (l->n == 0 || leak_is_public(l->text, l->n))
		return ERR_OK;
	/* Versions come newest first, so that old ones find no room. */
	if (p->n == p->room || l->n < LEAK_MIN || l->n > LEAK_MAX ||
	    l->index > UINT16_MAX || leak_bits(text, l->n) < LEAK_BITS_MIN ||
	    leak_entry_of(&p->key, text, l->n, &en) != 0) {
		p->unfit++;
		return ERR_OK;
	}
	w->at.leaf = l->index;
	leak_id_seal(w->r->core, &w->at, en.id);
	leak_entry_write(&en, p->entries + p->n++ * LEAK_ENTRY);
	return ERR_OK;
}

static int take_versions(struct row *w, struct kv_secret *s)
{
	struct kv_meta meta;
	struct value *data;
	int rc = kv_meta_read(w->a, s->o.body, &meta, &w->r->e);

	for (size_t i = meta.n; rc == ERR_OK && i-- > 0;) {
		w->at.version = meta.versions[i].number;
		w->current = w->at.version == s->current;
		arena_reset(w->of);
		rc = kv_read(w->r->core, w->of, s, w->at.version, &data, &w->r->e);
		if (rc == ERR_NOENT)
			rc = ERR_OK; /* deleted */
		else if (rc == ERR_OK)
			rc = leak_leaves(data, take_value, w);
	}
	return rc;
}

static int take_entry(struct row *w, const struct store_object *o)
{
	struct entry en;
	struct value *data;
	unsigned char *p;
	size_t n;
	int rc = entry_read(w->a, o, &en, &w->r->e);

	/* A cubbyhole is its token's alone. */
	if (rc != ERR_OK || mounts_by_id(w->r->core, en.space) == NULL)
		return rc;
	w->at.version = en.writes;
	w->current = true;
	arena_reset(w->of);
	if ((rc = entry_value(w->r->core, w->of, &en, &p, &n, &w->r->e)) != ERR_OK ||
	    (rc = value_decode(w->of, p, n, &data, &w->r->e)) != ERR_OK)
		return rc;
	return leak_leaves(data, take_value, w);
}

static int take_row(struct row *w, const struct store_object *o)
{
	struct kv_secret s;
	int rc;

	w->at = (struct leak_place){ .kind = o->kind };
	memcpy(w->at.row, o->id, sizeof(w->at.row));
	if (o->kind == KIND_ENTRY)
		return take_entry(w, o);
	rc = kv_open_id(w->r->core, w->a, o->id, &s, &w->r->e);
	return rc == ERR_NOENT ? ERR_OK : rc != ERR_OK ? rc : take_versions(w, &s);
}

struct slice {
	struct store_object at[SLICE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct slice *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

/* *more: there are rows after these. */
static int next_slice(struct req *r, struct packing *p, bool *more)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	AUTO_ARENA of = arena_new(SCRATCH);
	struct row w = { .r = r, .a = scratch, .of = of, .p = p };
	struct slice s = { .n = 0 };
	size_t done = 0;
	int rc;

	if (scratch == NULL || of == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = store_each(r->core, scratch, p->kind, p->started ? p->after : NULL, 32,
	                SLICE, collect, &s, &r->e);
	/* A page ends between rows. */
	while (rc == ERR_OK && done < s.n && p->n < PAGE)
		rc = take_row(&w, &s.at[done++]);
	if (rc != ERR_OK)
		return rc;
	*more = true;
	if (done > 0) {
		memcpy(p->after, s.at[done - 1].id, sizeof(p->after));
		p->started = true;
	}
	if (done == s.n && s.n < SLICE) {
		*more = p->kind == KIND_SECRET;
		p->kind = KIND_ENTRY;
		p->started = false;
	}
	return ERR_OK;
}

/* Where the next page begins, as opaque text. */
static char *cursor(struct req *r, const struct packing *p)
{
	unsigned char raw[1 + 1 + 32] = { (unsigned char)p->kind, p->started };
	char *out = arena_alloc(r->a, 2 * sizeof(raw) + 1);

	memcpy(raw + 2, p->after, sizeof(p->after));
	if (out != NULL)
		text_hex(raw, sizeof(raw), out);
	return out;
}

static int take_cursor(struct req *r, struct packing *p)
{
	const char *after = "", *pack = "";
	unsigned char raw[1 + 1 + 32];
	bool has_after, has_pack;
	int rc;

	if ((rc = req_str(r, "after", &after, &has_after)) != ERR_OK ||
	    (rc = req_str(r, "pack", &pack, &has_pack)) != ERR_OK)
		return rc;
	if (has_after != has_pack)
		return req_fail(
			r, ERR_INVALID,
			"pack and after belong together: both of the page before");
	p->kind = KIND_SECRET;
	if (!has_pack) {
		rng_bytes(p->pack, sizeof(p->pack));
		return ERR_OK;
	}
	if (text_unhex(pack, strlen(pack), p->pack, sizeof(p->pack)) != LEAK_PACK_ID)
		return req_fail(r, ERR_INVALID, "pack: no name of a pack");
	if (text_unhex(after, strlen(after), raw, sizeof(raw)) != sizeof(raw) ||
	    (raw[0] != KIND_SECRET && raw[0] != KIND_ENTRY) || raw[1] > 1)
		return req_fail(r, ERR_INVALID, "after: no place in a pack");
	p->kind = raw[0];
	p->started = raw[1];
	memcpy(p->after, raw + 2, sizeof(p->after));
	return ERR_OK;
}

static struct packing *begin(struct req *r)
{
	struct packing *p = arena_alloc(r->a, sizeof(*p));
	const char *box = "";
	bool present;

	if (p == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (req_str(r, "public_key", &box, &present) != ERR_OK)
		return NULL;
	if (text_unbase64(box, strlen(box), p->box, sizeof(p->box)) != sizeof(p->box)) {
		req_fail(r, ERR_INVALID, "public_key: 32 bytes in base64, of X25519");
		return NULL;
	}
	if (take_cursor(r, p) != ERR_OK)
		return NULL;
	leak_pack_key(r->core, p->pack, p->wire);
	leak_key_read(&p->key, p->wire);
	p->room = 2 * PAGE;
	p->entries = arena_alloc(r->a, p->room * LEAK_ENTRY);
	if (p->entries == NULL)
		req_fail(r, ERR_NOMEM, "out of memory");
	return p->entries != NULL ? p : NULL;
}

/* The page as its reader sees it, sealed to their key. */
static char *seal_page(struct req *r, const struct packing *p)
{
	struct value *v = value_object(r->a);
	unsigned char *plain, *sealed;
	size_t n, len;
	char *text;

	value_set_bytes(r->a, v, "pack", p->pack, sizeof(p->pack));
	value_set_bytes(r->a, v, "key", p->wire, sizeof(p->wire));
	value_set_int(r->a, v, "created_ms", r->core->now_ms);
	value_set_int(r->a, v, "expires_ms", r->core->now_ms + LEAK_PACK_TTL);
	value_set_int(r->a, v, "format", LEAK_FORMAT);
	value_set_bytes(r->a, v, "entries", p->entries, p->n * LEAK_ENTRY);
	if ((plain = value_pack(r->a, v, &n)) == NULL)
		return NULL;
	len = n + crypto_box_SEALBYTES;
	sealed = arena_alloc(r->a, len);
	text = arena_alloc(r->a, TEXT_BASE64_LEN(len) + 1);
	if (sealed == NULL || text == NULL ||
	    crypto_box_seal(sealed, plain, n, p->box) != 0)
		return NULL;
	text_base64(sealed, len, text);
	return text;
}

static int answer_page(struct req *r, struct packing *p, bool more)
{
	struct value *d = reply_data(r);
	char *name = arena_alloc(r->a, 2 * LEAK_PACK_ID + 1), *page = seal_page(r, p);
	char *next = more ? cursor(r, p) : NULL;

	if (name == NULL || page == NULL || (more && next == NULL))
		return req_fail(r, ERR_INVALID,
		                "public_key: nothing can be sealed to it");
	text_hex(p->pack, sizeof(p->pack), name);
	value_set_str(r->a, d, "pack", name);
	value_set_str(r->a, d, "page", page);
	value_set_int(r->a, d, "values", (int64_t)p->n);
	value_set_int(r->a, d, "not_matchable", p->unfit);
	value_set_str(r->a, d, "next", more ? next : "");
	req_note_str(r, "pack", name);
	req_note_int(r, "values", (int64_t)p->n);
	req_note_bytes(r, "public_key", p->box, sizeof(p->box));
	return ERR_OK;
}

static int h_pack(struct req *r)
{
	struct packing *p = r->park_state;
	unsigned char key[16];
	bool more = false;
	int rc;

	if (p == NULL && (p = begin(r)) == NULL)
		return (int)r->e.code;
	r->park_state = p;
	if ((rc = next_slice(r, p, &more)) != ERR_OK)
		return rc;
	if (!more || p->n >= PAGE)
		return answer_page(r, p, more);
	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

/* --- what was found -------------------------------------------------------------------
 */

static bool may_read(struct req *r, const struct mount *m, const char *rest)
{
	const char *path = arena_printf(r->a, "%s%s%s", m->path,
	                                m->kv_version == 2 ? "data/" : "", rest);

	return r->id.root ||
	       (path != NULL &&
	        (policies_capabilities(r->core, r->id.policies, path, false) &
	         CAP_READ) != 0);
}

static void describe(struct req *r, struct value *v, const struct leak_place *at,
                     const char *path, bool current, const struct value *data)
{
	char *field = data != NULL ? leak_leaf_name(r->a, data, at->leaf) : NULL;

	value_set_str(r->a, v, "path", path);
	value_set_int(r->a, v, "version", at->kind == KIND_SECRET ? at->version : 0);
	value_set_str(r->a, v, "field", field != NULL ? field : "");
	value_set_str(r->a, v, "state",
	              data == NULL ? "gone"
	              : current    ? "current"
	                           : "old");
}

static int name_secret(struct req *r, struct value *v, const struct leak_place *at)
{
	struct kv_secret s;
	struct value *data = NULL;
	int rc = kv_open_id(r->core, r->a, at->row, &s, &r->e);

	if (rc != ERR_OK)
		return rc;
	if (!may_read(r, s.mount, s.path))
		return ERR_DENIED;
	rc = kv_read(r->core, r->a, &s, at->version, &data, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	describe(r, v, at, kv_full_path(r->a, &s), at->version == s.current,
	         rc == ERR_OK ? data : NULL);
	return ERR_OK;
}

static int name_entry(struct req *r, struct value *v, const struct leak_place *at)
{
	const struct mount *m;
	struct store_object o;
	struct entry en;
	struct value *data = NULL;
	unsigned char *p;
	size_t n;
	int rc = store_get(r->core, r->a, KIND_ENTRY, at->row, 32, &o, &r->e);

	if (rc != ERR_OK || (rc = entry_read(r->a, &o, &en, &r->e)) != ERR_OK)
		return rc;
	if ((m = mounts_by_id(r->core, en.space)) == NULL || !may_read(r, m, en.path))
		return ERR_DENIED;
	if (en.writes == at->version &&
	    ((rc = entry_value(r->core, r->a, &en, &p, &n, &r->e)) != ERR_OK ||
	     (rc = value_decode(r->a, p, n, &data, &r->e)) != ERR_OK))
		return rc;
	describe(r, v, at, arena_printf(r->a, "%s%s", m->path, en.path), true, data);
	return ERR_OK;
}

/* Of what nobody has sealed, what is gone and what is not theirs to read, the answer is
 * the same: nothing. */
static int resolve_one(struct req *r, const struct value *id, struct value *v)
{
	unsigned char raw[LEAK_ID];
	struct leak_place at;
	int rc;

	if (id->type != V_STRING ||
	    text_unbase64(id->text, id->len, raw, sizeof(raw)) != LEAK_ID ||
	    leak_id_open(r->core, raw, &at) != 0)
		return ERR_OK;
	rc = at.kind == KIND_SECRET ? name_secret(r, v, &at) : name_entry(r, v, &at);
	if (rc != ERR_NOENT && rc != ERR_DENIED)
		return rc;
	r->e = (struct err){ 0 };
	return ERR_OK;
}

static int h_resolve(struct req *r)
{
	struct value *ids = NULL, *list = value_array(r->a), *v;
	bool present;
	int64_t named = 0;
	int rc = req_strings(r, "ids", &ids, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || ids->len == 0 || ids->len > RESOLVE_MAX)
		return req_fail(r, ERR_INVALID, "ids: between 1 and %d", RESOLVE_MAX);
	for (const struct value *id = ids->first; id != NULL; id = id->next) {
		v = value_object(r->a);
		if ((rc = resolve_one(r, id, v)) != ERR_OK)
			return rc;
		named += value_get(v, "path") != NULL;
		value_add(list, v);
	}
	value_set(reply_data(r), "found", list);
	req_note_int(r, "ids", ids->len);
	req_note_int(r, "named", named);
	return arena_failed(r->a) ? req_fail(r, ERR_NOMEM, "out of memory") : ERR_OK;
}

static const struct field pack_fields[] = {
	{"public_key", "string", "X25519, base64: the pages are sealed to it"},
	{ "pack",      "string", "of the page before"                        },
	{ "after",     "string", "`next` of the page before"                 },
	{ NULL,        NULL,     NULL					},
};
static const struct field resolve_fields[] = {
	{"ids", "strings", "of entries of a pack, base64"},
	{ NULL, NULL,      NULL                          },
};
static const struct route rows[] = {
	{"system",  M_POST, "leaks/pack",    0, pack_fields,    h_pack,    NULL,
         "what a scanner needs to recognise the vault's own values"},
	{ "system", M_POST, "leaks/resolve", 0, resolve_fields, h_resolve, NULL,
         "which secrets were found, of those that you may read"    },
};

const struct route_table routes_leak = { rows, ARRAY_LEN(rows) };
