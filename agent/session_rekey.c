/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New keys of the host: docs/host-protocol.md, "New keys".
 *
 * Each step is on disk before the next is taken, so that a host that loses its power
 * between any two knows both keys, and which one to try first:
 *
 *   new keys made and stored > announced > logged in with them, stored as the host's
 *   > what the old ones sealed is sealed again > the old ones forgotten
 */
#include <sodium.h>
#include <string.h>

#include "log.h"
#include "session_impl.h"

#define REKEY_ROOM     ((size_t)64 * 1024)
#define REKEY_AGAIN_MS 3600000

static int store(struct session *s)
{
	struct err e = { 0 };
	int rc = identity_save(s->o.settings->state_dir, s->o.identity, &e);

	if (rc != ERR_OK)
		log_error("storing the host's keys failed", LOG_S("why", e.msg));
	return rc;
}

/* Hosts that joined on one day do not come on one day. */
static bool is_old(const struct session *s)
{
	const struct identity *id = s->o.identity;
	int64_t rotate = s->o.settings->identity_rotate_ms;
	int64_t spread = rotate / 10 / 256 * id->host_id[0];

	return rotate > 0 && clock_wall(s->clock) - id->keys_since >= rotate + spread;
}

void session_rekey_start(struct session *s)
{
	struct identity *id = s->o.identity;

	s->with_next = id->has_next;
	if (id->keys_since == 0)
		id->keys_since = clock_wall(s->clock);
}

bool session_rekey_want(struct session *s)
{
	if (s->phase == PHASE_REVOKED)
		return false;
	s->rekey_wanted = true;
	s->rekey_at = 0;
	return true;
}

bool session_rekey_due(struct session *s, int64_t now)
{
	struct identity *id = s->o.identity;

	if (s->phase != PHASE_READY || s->told_next || now < s->rekey_at)
		return false;
	if (id->has_next)
		return true;
	if (!s->rekey_wanted && !is_old(s))
		return false;
	identity_make_next(id);
	if (store(s) == ERR_OK)
		return true;
	identity_drop_next(id);
	s->rekey_at = now + REKEY_AGAIN_MS;
	return false;
}

json_t *session_rekey_body(struct session *s)
{
	const struct identity *id = s->o.identity;
	AUTO_ARENA a = arena_new(REKEY_ROOM);
	struct value *data = value_object(a);
	unsigned char proof[64];

	identity_prove_next(id, proof);
	value_set_bytes(a, data, "sign_key", id->next.sign_pk, sizeof(id->next.sign_pk));
	value_set_bytes(a, data, "box_key", id->next.box_pk, sizeof(id->next.box_pk));
	value_set_bytes(a, data, "proof", proof, sizeof(proof));
	return json_pack("{s:o}", "statement", statement_sign(id, "rekey", a, data));
}

int session_rekey_done(struct session *s, const json_t *doc UNUSED, struct err *e UNUSED)
{
	log_info("new keys are announced");
	s->told_next = true;
	s->with_next = true;
	session_login(s);
	return ERR_OK;
}

void session_rekey_failed(struct session *s, long status UNUSED, const json_t *doc UNUSED,
                          const struct err *e)
{
	log_error("new keys were refused", LOG_S("why", e->msg));
	identity_drop_next(s->o.identity);
	(void)store(s);
	s->rekey_wanted = false;
	s->rekey_at = session_now(s) + REKEY_AGAIN_MS;
}

bool session_rekey_refused(struct session *s, const json_t *doc)
{
	/* The vault's own words: somebody between us and it may refuse for any reason,
	 * and to come with a key that was cut looks like another agent. */
	static const char unknown[] = "login refused";
	static const char cut[] = "two agents with one identity";
	const char *why =
		json_string_value(json_array_get(json_object_get(doc, "errors"), 0));

	if (!s->o.identity->has_next || why == NULL ||
	    (strcmp(why, unknown) != 0 && strcmp(why, cut) != 0))
		return false;
	s->with_next = !s->with_next;
	s->told_next = false;
	log_info(s->with_next ? "the new keys are tried" : "the old keys are tried",
	         LOG_S("why", why));
	return true;
}

void session_rekey_promote(struct session *s)
{
	if (!s->login_next)
		return;
	identity_promote(s->o.identity, clock_wall(s->clock));
	s->login_next = s->with_next = s->told_next = s->rekey_wanted = false;
	log_info("the host has new keys");
}

void session_rekey_finish(struct session *s)
{
	struct identity *id = s->o.identity;

	if (!id->has_last || !session_cache_reseal(s))
		return;
	id->has_last = false;
	sodium_memzero(id->last_box_sk, sizeof(id->last_box_sk));
	(void)store(s);
}
