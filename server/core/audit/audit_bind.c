/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_bind - the stored state belongs to the log: each signed head names the state that
 * its batch left behind, in one extension line of the checkpoint,
 *
 *   state <batches that changed something> <base64 of a keyed digest of the state's head>
 *
 * so that rows of an earlier moment, put back as a whole beside a log of now, do not
 * open. The digest covers the state MAC over all rows, their number, and the epoch of the
 * seal. A batch that changes no row repeats the line of the one before.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "audit_state.h"
#include "keyring.h"
#include "seal.h"
#include "store.h"
#include "text.h"

#define PREFIX "state "
#define DIGEST 32u

static void hash_int(crypto_generichash_state *h, int64_t v)
{
	unsigned char b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)((uint64_t)v >> (56 - 8 * i));
	(void)crypto_generichash_update(h, b, sizeof(b));
}

static void digest_of(const struct core *c, const struct store_summary *s,
                      unsigned char out[DIGEST])
{
	static const char label[] = "vault/state-head/v1";
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, keyring_key(c->keys, KEY_STATE_MAC), 32,
	                              DIGEST);
	(void)crypto_generichash_update(&h, (const unsigned char *)label, sizeof(label));
	(void)crypto_generichash_update(&h, s->mac, sizeof(s->mac));
	hash_int(&h, s->counter);
	hash_int(&h, s->rows);
	hash_int(&h, seal_epoch(c));
	(void)crypto_generichash_final(&h, out, DIGEST);
}

static bool line_of(const struct core *c, char out[AUDIT_BIND_MAX])
{
	unsigned char digest[DIGEST];
	char b64[TEXT_BASE64_LEN(DIGEST) + 1];
	struct store_summary s;

	if (!store_state_summary(c, &s))
		return false;
	digest_of(c, &s, digest);
	text_base64(digest, sizeof(digest), b64);
	snprintf(out, AUDIT_BIND_MAX, PREFIX "%lld %s", (long long)s.counter, b64);
	return true;
}

size_t audit_bind_add(const struct core *c, char *body, size_t n, size_t cap)
{
	char line[AUDIT_BIND_MAX];
	int added;

	if (!line_of(c, line))
		return n;
	added = snprintf(body + n, cap - n, "%s\n", line);
	return added > 0 && (size_t)added < cap - n ? n + (size_t)added : 0;
}

bool audit_bind_stale(const struct core *c)
{
	const struct audit *au = c->audit;
	char line[AUDIT_BIND_MAX];
	const char *stored;
	size_t n;

	if (au->note_size == 0 || !line_of(c, line))
		return false;
	stored = note_checkpoint_line(au->note, strlen(au->note), PREFIX, &n);
	return stored == NULL || n != strlen(line) || memcmp(stored, line, n) != 0;
}

int audit_bind_check(const struct core *c, struct err *e)
{
	const struct audit *au = c->audit;
	struct store_summary s;
	const char *stored;
	size_t n;

	/* Heads of before there was such a line are signed, too: one that lacks it was
	 * the newest when they ended. */
	stored = note_checkpoint_line(au->note, strlen(au->note), PREFIX, &n);
	if (stored == NULL || !audit_bind_stale(c))
		return ERR_OK;
	(void)store_state_summary(c, &s);
	return err_set(e, ERR_INTEGRITY,
	               "the stored rows are not those that the audit log ends with: "
	               "they are of change %lld, the log says %.*s",
	               (long long)s.counter, (int)strcspn(stored + strlen(PREFIX), " \n"),
	               stored + strlen(PREFIX));
}
