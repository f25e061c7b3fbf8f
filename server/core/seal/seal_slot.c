/* SPDX-License-Identifier: Apache-2.0 */
/* seal_slot - shares of an unseal key, and slots that hold the root key. */
#include <sodium.h>
#include <string.h>

#include "keymem.h"
#include "keyring.h"
#include "seal_impl.h"

_Static_assert(SLOT_LEN == KEY + ENVELOPE_OVERHEAD, "a slot holds one key");

struct hand *hand_new(struct err *e)
{
	struct hand *h = keymem_alloc(sizeof(*h));

	if (h == NULL)
		err_set(e, ERR_NOMEM, "key memory is exhausted");
	return h;
}

void hand_free(struct hand *h)
{
	keymem_free(h, sizeof(*h));
}

static void share_check(const struct seal_config *cfg, uint8_t x, const uint8_t y[KEY],
                        unsigned char out[32])
{
	unsigned char share[1 + KEY];

	share[0] = x;
	memcpy(share + 1, y, KEY);
	(void)crypto_generichash(out, 32, share, sizeof(share), cfg->salt,
	                         sizeof(cfg->salt));
	sodium_memzero(share, sizeof(share));
}

void commit_to(const struct seal_config *cfg, const unsigned char unseal[KEY],
               unsigned char out[32])
{
	static const char label[] = "vault/seal-commit/v1";
	unsigned char text[sizeof(label) + sizeof(cfg->seal_id) + 1];

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), cfg->seal_id, sizeof(cfg->seal_id));
	text[sizeof(text) - 1] = (unsigned char)cfg->epoch;
	(void)crypto_generichash(out, 32, text, sizeof(text), unseal, KEY);
}

static void slot_aad(const struct core *c, const struct seal_config *cfg,
                     enum slot_type type, struct aad *aad)
{
	unsigned char digest[32];

	seal_config_digest(cfg, digest);
	aad_init(aad);
	aad_bytes(aad, c->vault_id, sizeof(c->vault_id));
	aad_bytes(aad, cfg->seal_id, sizeof(cfg->seal_id));
	aad_int(aad, type);
	aad_int(aad, cfg->epoch);
	aad_int(aad, cfg->t);
	aad_int(aad, cfg->n);
	aad_bytes(aad, digest, sizeof(digest));
}

static void slot_key(enum slot_type type, const unsigned char from[KEY],
                     unsigned char out[KEY])
{
	(void)crypto_kdf_derive_from_key(out, KEY, type, "vltseal1", from);
}

void slot_make(const struct core *c, const struct seal_config *cfg, enum slot_type type,
               const unsigned char from[KEY], struct hand *h, struct seal_slot *slot)
{
	struct aad aad;

	slot_key(type, from, h->wrap);
	slot_aad(c, cfg, type, &aad);
	envelope_seal(h->wrap, 0, SEAL_SLOT, &aad, h->root, KEY, slot->sealed);
	slot->present = true;
}

int slot_open(const struct core *c, const struct seal_config *cfg, enum slot_type type,
              const unsigned char from[KEY], struct hand *h, struct err *e)
{
	const struct seal_slot *slot = type == SLOT_AUTO ? &cfg->automatic : &cfg->shamir;
	struct aad aad;

	slot_key(type, from, h->wrap);
	slot_aad(c, cfg, type, &aad);
	return envelope_open(h->wrap, SEAL_SLOT, &aad, slot->sealed, sizeof(slot->sealed),
	                     h->root, e);
}

int seal_check_counts(int n, int t, struct err *e)
{
	static const char what[] = "invalid seal configuration";

	if (n < 1)
		return err_set(e, ERR_INVALID, "%s: shares must be at least one", what);
	if (t < 1)
		return err_set(e, ERR_INVALID, "%s: threshold must be at least one",
		               what);
	if (n > 1 && t == 1)
		return err_set(
			e, ERR_INVALID,
			"%s: threshold must be greater than one for multiple shares",
			what);
	if (n > (int)LIMIT_SHARES)
		return err_set(e, ERR_INVALID, "%s: shares must be less than 256", what);
	if (t > n)
		return err_set(e, ERR_INVALID,
		               "%s: threshold cannot be larger than shares", what);
	return ERR_OK;
}

/* With one share that share is the unseal key itself. */
int make_shares(struct seal_config *cfg, const struct hand *h, struct seal_share *shares,
                struct err *e)
{
	uint8_t(*y)[SHAMIR_SECRET] = keymem_alloc(sizeof(*y) * (size_t)cfg->n);
	int rc = ERR_OK;

	if (y == NULL)
		return err_set(e, ERR_NOMEM, "key memory is exhausted");
	if (cfg->n == 1)
		memcpy(y[0], h->unseal, KEY);
	else
		rc = shamir_split(h->unseal, cfg->n, cfg->t, y, e);
	for (int i = 0; i < cfg->n && rc == ERR_OK; i++) {
		memcpy(shares[i].bytes, y[i], KEY);
		shares[i].bytes[KEY] = (unsigned char)(i + 1);
		shares[i].len = cfg->n == 1 ? KEY : KEY + 1;
		share_check(cfg, (uint8_t)(i + 1), y[i], cfg->check[i]);
	}
	keymem_free(y, sizeof(*y) * (size_t)cfg->n);
	return rc;
}

static int combine(const struct seal_config *cfg, const struct attempt *at,
                   struct hand *h, struct err *e)
{
	unsigned char commitment[32];

	if (cfg->n == 1)
		memcpy(h->unseal, at->y[0], KEY);
	else if (shamir_combine(at->x, (const uint8_t(*)[SHAMIR_SECRET])at->y, cfg->t,
	                        h->unseal) != 0)
		return err_set(e, ERR_INTERNAL, "the shares do not combine");
	/* The cipher does not commit to its key: this does. */
	commit_to(cfg, h->unseal, commitment);
	if (sodium_memcmp(commitment, cfg->commitment, sizeof(commitment)) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "the seal configuration was changed: the shares "
		               "fit their checks but not its commitment");
	return ERR_OK;
}

/* A share that is not one of this vault's is named at once and never counts. */
static int check_share(const struct seal_config *cfg, const unsigned char *share,
                       size_t len, uint8_t *x, struct err *e)
{
	size_t want = cfg->n == 1 ? KEY : KEY + 1;
	unsigned char check[32];

	if (len != want)
		return err_set(e, ERR_INVALID,
		               "a share of this vault has %zu bytes, not %zu", want, len);
	*x = cfg->n == 1 ? 1 : share[KEY];
	if (*x >= 1 && *x <= cfg->n) {
		share_check(cfg, *x, share, check);
		if (sodium_memcmp(check, cfg->check[*x - 1], sizeof(check)) == 0)
			return ERR_OK;
	}
	return err_set(
		e, ERR_INVALID,
		"share does not belong to this vault, or was mistyped: it was not counted");
}

int attempt_offer(struct attempt *at, const struct seal_config *cfg,
                  const struct seal_share *share, bool *repeated, struct err *e)
{
	uint8_t x = 0;
	int rc = check_share(cfg, share->bytes, share->len, &x, e);

	if (rc != ERR_OK)
		return rc;
	*repeated = false;
	for (int i = 0; i < at->count; i++)
		*repeated = *repeated || at->x[i] == x;
	if (*repeated)
		return ERR_OK;
	at->x[at->count] = x;
	memcpy(at->y[at->count], share->bytes, KEY);
	at->count++;
	return ERR_OK;
}

int attempt_open(const struct core *c, const struct seal_config *cfg,
                 const struct attempt *at, struct hand *h, struct err *e)
{
	int rc = combine(cfg, at, h, e);

	if (rc == ERR_OK &&
	    (rc = slot_open(c, cfg, SLOT_SHAMIR, h->unseal, h, e)) != ERR_OK)
		err_wrap(e, "seal slot");
	return rc;
}
