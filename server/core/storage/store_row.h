/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_STORE_ROW_H
#define SERVER_CORE_STORE_ROW_H
/*
 * store_row - rows as they are stored, and the state MAC over them: what the files of the
 * store share.  Nobody else includes this.
 */
#include "keyring.h"
#include "store.h"

struct aside;
struct folders;
struct mirror;
struct stmt;

/* A row of the table object; pointers are borrowed. */
struct store_row {
	int kind;
	const unsigned char *id, *parent, *tag; /* parent, tag: NULL if there is none */
	size_t id_len, parent_len, tag_len;
	int64_t due; /* 0: none */
	int64_t version;
	const unsigned char *sealed;
	size_t sealed_len;
};

/* A row of the table payload; ${wrapped} binds a digest of ${sealed}. */
struct payload_row {
	const unsigned char *secret; /* 32 bytes */
	int64_t version;
	const unsigned char *wrapped;
	size_t wrapped_len;
	const unsigned char *sealed;
	size_t sealed_len;
};

/** row_aad(c, row, aad): everything about the row but its body. */
void row_aad(const struct core *c, const struct store_row *row, struct aad *aad);

/** row_open(c, row, out, e): decrypt into ${out} of sealed_len - ENVELOPE_OVERHEAD bytes
 * (may be in place at sealed + 32).  ERR_INTEGRITY names the row. */
int row_open(const struct core *c, const struct store_row *row, unsigned char *out,
             struct err *e) MUST_CHECK;

/** row_of_columns(st, row): the columns kind, id, parent, tag, due, version, sealed. */
void row_of_columns(struct stmt *st, struct store_row *row);

/** payload_check(c, a, row, e): do the data key and the ciphertext open, as far as that
 * can be told without the secret's own record?  For scrubs. */
int payload_check(const struct core *c, struct arena *a, const struct payload_row *row,
                  struct err *e) MUST_CHECK;

/** seal_under_kek(c, purpose, aad, p, n, out): envelope_seal() under the active key term,
 * counted; the state must be ready. */
void seal_under_kek(struct core *c, enum seal_purpose purpose, const struct aad *aad,
                    const void *p, size_t n, unsigned char *out);
/** payload_rewrap(c, row, wrapped, e): the row's data key in an envelope of the active
 * term, of row->wrapped_len bytes. */
int payload_rewrap(struct core *c, const struct payload_row *row, unsigned char *wrapped,
                   struct err *e) MUST_CHECK;

#define STATE_MAC 32

/** state_digest_row(c, row, out), state_digest_payload(): what a row adds to the state
 * MAC. */
void state_digest_row(const struct core *c, const struct store_row *row,
                      unsigned char out[STATE_MAC]);
void state_digest_payload(const struct core *c, const struct payload_row *row,
                          unsigned char out[STATE_MAC]);

/** state_xor(to, digest): put a row into a state MAC, or take it out. */
void state_xor(unsigned char to[STATE_MAC], const unsigned char digest[STATE_MAC]);
/** state_kind(kind): where rows of a kind are counted; KIND__MAX: of an unknown one. */
int state_kind(int kind);

/** state_ready(c, e): the state MAC is in memory (loads it when it is not). */
int state_ready(struct core *c, struct err *e) MUST_CHECK;
/** state_row_changed(c, row, old, new): ${old} and ${new} are digests, NULL for a row
 * that was not there before or is gone now.  After the statement succeeded. */
void state_row_changed(struct core *c, const struct store_row *row,
                       const unsigned char *old, const unsigned char *new);
void state_payload_changed(struct core *c, const struct payload_row *row,
                           const unsigned char *old, const unsigned char *new);
/** state_scratch(c): an arena for one call at a time; reset it after use. */
struct arena *state_scratch(struct core *c);
/** state_mirror(c): what the store keeps of its rows in memory, or NULL. */
struct mirror *state_mirror(const struct core *c);
/** state_folders(c): the names in folders that are kept in memory, or NULL. */
struct folders *state_folders(const struct core *c);
/** state_aside(c): the due rows that are passed over, or NULL. */
struct aside *state_aside(const struct core *c);

/* The sealed row of kind KIND_CONSISTENCY, opened. */
struct state_head {
	unsigned char mac[STATE_MAC];
	int64_t counter; /* batches that changed something */
	int64_t rows;
	int64_t audit_size; /* at least so many audit rows existed */
	int64_t term;       /* of the key that encryptions were counted of */
	int64_t encryptions;
};

/** state_head_read(c, db, out, present, e): from ${db}, which may be a copy. */
int state_head_read(const struct core *c, struct db *db, struct state_head *out,
                    bool *present, struct err *e) MUST_CHECK;

/* A walk over all live rows that recomputes the MAC and opens every row. */
struct state_walk {
	bool active;
	bool payloads; /* objects are done */
	int kind;      /* last row that was seen */
	unsigned char id[STORE_ID_MAX];
	size_t id_len;
	int64_t version;
	unsigned char mac[STATE_MAC];
	int64_t rows;
	int64_t kinds[KIND__MAX + 1]; /* objects of a kind; the last: payloads */
};
/** state_walk_step(c, db, w, limit, done, e): the next ${limit} rows. */
int state_walk_step(const struct core *c, struct db *db, struct state_walk *w, int limit,
                    bool *done, struct err *e) MUST_CHECK;

#endif
