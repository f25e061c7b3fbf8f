/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_WITNESS_H
#define AGENT_WITNESS_H
/*
 * witness - remembers the last tree head of the audit log that was verified here.
 *
 * Every new one must be signed and must continue the last.  Another root at the same
 * size, a failing consistency proof, or a server that has no more than a smaller tree is
 * evidence that the log was cut or rewritten: it is kept beside the last good one, and
 * until someone removes it no new value is accepted.  A smaller tree alone may be a reply
 * that was overtaken by another: the server is asked before it is judged.
 *
 * While nothing happens the log still grows.  A new head is on disk when something hangs
 * on it, not with each heartbeat: what a crash can lose was seen, and nothing was done by
 * it.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "merkle.h"
#include "note.h"

#define WITNESS_FILE     "checkpoint"
#define WITNESS_CONFLICT "checkpoint.conflict"

struct witness {
	const char *dir;
	struct note_key key;
	bool have;
	bool suspect; /* a smaller tree was seen: ask for a proof before any value is
	                 taken */
	bool alarm;
	char why[160]; /* of the alarm */
	struct note_checkpoint last;
	char note[NOTE_CHECKPOINT_MAX]; /* the last, whole; "" if it is on disk */
};

enum witness_verdict {
	WITNESS_KNOWN, /* the one we have */
	WITNESS_FIRST, /* taken, as there was none */
	WITNESS_ASK,   /* ask for a proof from w->last.size, then witness_advance() */
	WITNESS_ALARM, /* contradicts the one we have */
	WITNESS_BAD,   /* not a checkpoint of our vault */
};

/** witness_open(w, dir, key, e): ${dir} is borrowed; ${key} is the verifier key from the
 * join. */
int witness_open(struct witness *w, const char *dir, const char *key, struct err *e)
	MUST_CHECK;

/** witness_see(w, text, e): judge a checkpoint; ${e} says why for ALARM and BAD. */
enum witness_verdict witness_see(struct witness *w, const char *text, struct err *e);

/** witness_advance(w, text, proof, e): take ${text} if ${proof} shows that it continues
 * the last, in memory: see witness_save(); an alarm otherwise (ERR_VERIFY).  Only for an
 * answer that is certain to be of now: an old checkpoint is genuine too. */
int witness_advance(struct witness *w, const char *text, const struct merkle_proof *proof,
                    struct err *e) MUST_CHECK;

/** witness_save(w, e): the last that was taken to disk, if it is not there. */
int witness_save(struct witness *w, struct err *e) MUST_CHECK;

/** witness_note(w, out, cap, e): the whole note of the last that was taken, from disk,
 * where it is from now on. */
int witness_note(struct witness *w, char *out, size_t cap, struct err *e) MUST_CHECK;

/** witness_trusts(w): may values be accepted? */
static inline bool witness_trusts(const struct witness *w)
{
	return !w->alarm && !w->suspect;
}

/** witness_forget(dir): after a new join. */
void witness_forget(const char *dir);

#endif
