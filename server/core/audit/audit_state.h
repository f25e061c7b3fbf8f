/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_AUDIT_STATE_H
#define SERVER_CORE_AUDIT_STATE_H
/*
 * audit_state - what the files of the audit module share; nobody else includes it.
 *
 * A record's row is inserted when it is appended; its leaf waits in pending[] until
 * audit_flush(), so that a savepoint is taken back by forgetting leaves, and the tree in
 * memory changes once per batch.
 */
#include "audit.h"
#include "audit_fold.h"
#include "audit_tree.h"
#include "note.h"

struct stmt;

#define AUDIT_TERM 1u /* key term in the envelopes of records */
#define AUDIT_SALT 16u

/* What a savepoint, or a batch, takes back. */
struct audit_mark {
	bool loaded;
	size_t pending;
	int64_t journal, dropped;
};

struct audit {
	bool loaded;  /* the tree is in memory */
	bool stale;   /* what is in memory was not committed: read it again */
	bool flushed; /* since audit_batch_begin() */
	struct note_key key;
	struct audit_tree *tree; /* NULL while sealed */
	unsigned char (*pending)[32];
	size_t n_pending, cap_pending;
	/* the newest checkpoint, also while sealed */
	char note[NOTE_CHECKPOINT_MAX];
	uint64_t note_size;
	/* which older ones stay */
	uint64_t kept_size;     /* newest one that stays */
	uint64_t thousand_size; /* newest one that stays for ever */
	int64_t kept_ms;        /* boot clock */
	/* the sealed journal */
	int64_t journal, dropped;
	bool dropped_dirty;
	struct audit_fold fold;
	struct audit_mark mark, batch;
	unsigned char *buf; /* the record that is being made */
	size_t cap;
};

/** audit_load(c, e): the tree and the newest checkpoint, verified against the records;
 * sets loaded. */
int audit_load(struct core *c, struct err *e) MUST_CHECK;
/** audit_unload(c): forget the tree and what is pending. */
void audit_unload(struct core *c);
/** audit_ready(c, e): read the tree again if it is stale. */
int audit_ready(struct core *c, struct err *e) MUST_CHECK;
/** audit_chain(c, r, e): audit_append() for what may not be folded. */
int audit_chain(struct core *c, const struct audit_record *r, struct err *e) MUST_CHECK;
/** audit_buf(c, n): scratch of at least ${n} bytes, or NULL. */
unsigned char *audit_buf(struct core *c, size_t n);
/** audit_checkpoint_put(c, e): sign the tree as it is, store the note, drop those that
 * need not stay. */
int audit_checkpoint_put(struct core *c, struct err *e) MUST_CHECK;
/** audit_bind_add(c, body, n, cap): append the line that binds the stored state to the
 * body of a checkpoint; the new length, 0 if it does not fit. */
#define AUDIT_BIND_MAX 96u
size_t audit_bind_add(const struct core *c, char *body, size_t n, size_t cap);
/** audit_bind_stale(c): does the newest head name another state than the current one? */
bool audit_bind_stale(const struct core *c);
/** audit_bind_check(c, e): at unseal: ERR_INTEGRITY if the stored rows are not those that
 * the newest head was signed with. */
int audit_bind_check(const struct core *c, struct err *e) MUST_CHECK;
/** audit_checkpoint_recall(c, e): the newest stored note; *found is false for a log
 * without any. */
int audit_checkpoint_recall(struct core *c, bool *found, struct err *e) MUST_CHECK;

/** audit_journal_open(c, e), _append(c, r, e), _flush(c, e): the journal of the sealed
 * vault. */
int audit_journal_open(struct core *c, struct err *e) MUST_CHECK;
int audit_journal_append(struct core *c, const struct audit_record *r, struct err *e)
	MUST_CHECK;
int audit_journal_flush(struct core *c, struct err *e) MUST_CHECK;
/** audit_journal_chain(c, e): append what was journaled to the log. */
int audit_journal_chain(struct core *c, struct err *e) MUST_CHECK;

/** audit_leaf(index, digest, envelope, n, out): a record's leaf hash. */
void audit_leaf(int64_t index, const unsigned char digest[32],
                const unsigned char *envelope, size_t n, unsigned char out[32]);
/* A stored record. */
struct audit_row {
	int64_t index;
	const unsigned char *leaf, *digest; /* 32 bytes each */
	const unsigned char *envelope;
	size_t n;
};
/** audit_row_get(st, row, e): the row a statement stands on (idx, leaf, digest,
 * envelope), borrowed until its next step. */
int audit_row_get(struct stmt *st, struct audit_row *row, struct err *e) MUST_CHECK;
/** audit_row_open(c, row, out, len, e): decrypt into audit_buf() and check the digest;
 * the salt comes first.  *len is the length with it.  ERR_INTEGRITY names the record. */
int audit_row_open(struct core *c, const struct audit_row *row, const unsigned char **out,
                   size_t *len, struct err *e) MUST_CHECK;

#endif
