/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H
/*
 * verify - is this audit log whole?  Answered with the public key alone.
 *
 * Code of its own: it shares the note format with the server, but neither the tree nor
 * the way records are read.  Records are taken one by one in the order they are stored;
 * each must carry the next index, fit its digest and its leaf hash, and the tree over all
 * of them must have the root of every signed head that is there.  A log can always be cut
 * back to an older signed head: only a head that somebody else kept shows that.
 * Depends on: note, text, file; libsodium, sqlite3, jansson.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "note.h"

/* One stored record; borrowed until the next one is taken. */
struct verify_record {
	uint64_t index;
	const unsigned char *digest; /* 32 */
	const unsigned char *leaf;   /* 32 */
	const unsigned char *envelope;
	size_t envelope_len;
	const unsigned char *salt; /* 16, with the record; NULL in a database */
	const unsigned char *record;
	size_t record_len;
};

struct verify_head {
	const char *note; /* borrowed until the next one is taken */
	size_t n;
};

enum verify_next {
	VERIFY_END,
	VERIFY_ITEM,
	VERIFY_DAMAGED, /* there is something, but it cannot be read */
	VERIFY_FAILED,  /* ${e} says why */
};

/* Where records come from.  All heads are taken before the first record. */
struct verify_source {
	enum verify_next (*head)(void *ctx, struct verify_head *out, struct err *e);
	enum verify_next (*record)(void *ctx, struct verify_record *out, struct err *e);
	void (*close)(void *ctx);
	void *ctx;
};

/* A signed head that a host has co-signed. */
struct verify_witness {
	const char *host;
	const char *note;
	size_t n;
	unsigned char key[32], signature[64]; /* the host's */
};

struct verify_options {
	struct note_key key;
	const char *witness; /* a signed head that somebody kept, or NULL */
	size_t witness_len;
	const struct verify_witness *hosts;
	size_t n_hosts;
};

enum verify_fault {
	FAULT_NONE,
	FAULT_CHANGED,   /* record ${bad} was changed */
	FAULT_MISSING,   /* record ${bad} is not there, or not in its place */
	FAULT_INSERTED,  /* record ${bad} does not belong there */
	FAULT_SOMEWHERE, /* one of the records ${first} … ${bad} was changed, with its
	                    leaf hash */
	FAULT_HEAD,      /* a signed head is not by the key, or is damaged */
	FAULT_CUT,  /* the witnessed head covers records from ${bad} on that are not there
	             */
	FAULT_FORK, /* a witnessed head is of another history */
};

struct verify_report {
	enum verify_fault fault;
	uint64_t bad;     /* index of the first bad record */
	uint64_t first;   /* FAULT_SOMEWHERE */
	uint64_t records; /* read */
	uint64_t heads;   /* signed heads that match */
	uint64_t proven;  /* records below this are proven by a signed head */
	uint64_t witness; /* size of the largest witnessed head, 0: none */
	uint64_t hosts;   /* co-signed heads that match */
	bool end_proven;  /* no record at the end is missing, up to the witnessed head */
	unsigned char root[32];
	char text[400]; /* one sentence */
};

/** verify_log(src, o, report, e): ERR_OK, ERR_VERIFY with ${report} filled, or why it
 * could not be read.  Does not close ${src}. */
int verify_log(struct verify_source *src, const struct verify_options *o,
               struct verify_report *report, struct err *e) MUST_CHECK;

struct arena;
/** verify_read_witnesses(a, text, n, out, count, e): the heads in a file that
 * "vaultctl audit witnesses" wrote; into ${a}.  ERR_INVALID. */
int verify_read_witnesses(struct arena *a, const char *text, size_t n,
                          struct verify_witness **out, size_t *count, struct err *e)
	MUST_CHECK;

/** verify_open_db(path, src, e): the database of a server that does not run, with its
 * write-ahead log.  ERR_BUSY if it runs. */
int verify_open_db(const char *path, struct verify_source *src, struct err *e) MUST_CHECK;
/** verify_open_backup(path, src, e): a backup file. */
int verify_open_backup(const char *path, struct verify_source *src, struct err *e)
	MUST_CHECK;
/** verify_open_export(path, src, e): JSON lines as "vaultctl audit export" writes them.
 */
int verify_open_export(const char *path, struct verify_source *src, struct err *e)
	MUST_CHECK;
/** verify_close(src): safe on a zeroed source, and twice. */
void verify_close(struct verify_source *src);

#endif
