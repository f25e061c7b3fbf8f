/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of the audit log that were verified here are co-signed, so that a log which is
 * cut later can be held against what its hosts have seen.
 *
 * Each co-signature is a record of the log itself: they are few.  A vault that shows a
 * smaller log is told of the larger one, before anything else is said to it.
 */
#include <string.h>

#include "log.h"
#include "session_impl.h"

#define COSIGN_EVERY_MS 600000
#define COSIGN_BURST    3
#define COSIGN_ROOM     ((size_t)64 * 1024)

bool session_cosign_urgent(struct session *s, int64_t now UNUSED)
{
	const struct witness *w = s->o.witness;

	return (s->phase == PHASE_SYNC || s->phase == PHASE_READY) && w->have &&
	       (s->set_back || !witness_trusts(w)) && !s->told_larger;
}

/* No reason to wake up, nor for a second connection: it goes along between two long
 * polls.  Where nothing but the log itself has changed, only if there was none for long.
 */
bool session_cosign_due(struct session *s, int64_t now)
{
	const struct witness *w = s->o.witness;

	return s->phase == PHASE_READY && !s->watch.busy && w->have &&
	       witness_trusts(w) && w->last.size > s->cosigned &&
	       now >= pace_at(&s->cosign_pace, COSIGN_EVERY_MS,
	                      s->cosign_news ? COSIGN_BURST : 1);
}

json_t *session_cosign_body(struct session *s)
{
	AUTO_ARENA a = arena_new(COSIGN_ROOM);
	struct value *data = value_object(a);
	char note[NOTE_CHECKPOINT_MAX];
	unsigned char signature[64];
	struct err e = { 0 };

	s->told_larger = s->told_larger || session_cosign_urgent(s, 0);
	s->cosigned = s->o.witness->last.size;
	s->cosign_news = false;
	pace_spend(&s->cosign_pace, COSIGN_EVERY_MS, session_now(s));
	if (witness_note(s->o.witness, note, sizeof(note), &e) != ERR_OK ||
	    identity_cosign(s->o.identity, note, signature, &e) != ERR_OK) {
		log_error("a checkpoint cannot be co-signed", LOG_S("why", e.msg));
		return NULL;
	}
	value_set_str(a, data, "checkpoint", note);
	value_set_bytes(a, data, "signature", signature, sizeof(signature));
	return json_pack("{s:o}", "statement",
	                 statement_say(s->o.identity, s->key, "cosign", a, data));
}

void session_cosign_failed(struct session *s UNUSED, long status UNUSED,
                           const json_t *doc UNUSED, const struct err *e)
{
	log_warn("a co-signature was refused", LOG_S("why", e->msg));
}
