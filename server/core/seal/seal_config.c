/* SPDX-License-Identifier: Apache-2.0 */
#include "seal_config.h"

#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "store.h"
#include "value.h"

#define NAME       "seal"
#define FORMAT     1
#define DIGEST     32u
#define STORED_MAX (64u * 1024)

static void plain_digest(const void *p, size_t n, unsigned char out[DIGEST])
{
	static const char label[] = "vault/seal-config/v1";
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, NULL, 0, DIGEST);
	(void)crypto_generichash_update(&h, (const unsigned char *)label, sizeof(label));
	(void)crypto_generichash_update(&h, p, n);
	(void)crypto_generichash_final(&h, out, DIGEST);
}

void seal_config_digest(const struct seal_config *cfg, unsigned char out[32])
{
	const unsigned char counts[2] = { (unsigned char)cfg->n, (unsigned char)cfg->t };
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, NULL, 0, 32);
	(void)crypto_generichash_update(&h, counts, sizeof(counts));
	(void)crypto_generichash_update(&h, cfg->seal_id, sizeof(cfg->seal_id));
	(void)crypto_generichash_update(&h, cfg->salt, sizeof(cfg->salt));
	(void)crypto_generichash_update(&h, cfg->commitment, sizeof(cfg->commitment));
	(void)crypto_generichash_update(&h, cfg->check[0], 32u * (size_t)cfg->n);
	(void)crypto_generichash_final(&h, out, 32);
}

static int damaged(struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "the seal configuration is damaged");
}

/* A member of exactly ${n} bytes. */
static int take(const struct value *v, const char *key, void *out, size_t n)
{
	const struct value *m = value_get(v, key);

	if (m == NULL || m->type != V_BYTES || m->len != n)
		return -1;
	memcpy(out, m->text, n);
	return 0;
}

static void take_slot(const struct value *v, const char *key, struct seal_slot *slot)
{
	slot->present = take(v, key, slot->sealed, sizeof(slot->sealed)) == 0;
}

static int parse(const struct value *v, struct seal_config *cfg, struct err *e)
{
	int64_t n = value_int_or(v, "shares", 0), t = value_int_or(v, "threshold", 0);

	if (value_int_or(v, "format", 0) != FORMAT)
		return err_set(e, ERR_SCHEMA,
		               "the seal configuration has an unknown format");
	if (n < 1 || n > (int64_t)LIMIT_SHARES || t < 1 || t > n)
		return damaged(e);
	cfg->n = (int)n;
	cfg->t = (int)t;
	cfg->epoch = (int)value_int_or(v, "epoch", 0);
	if (take(v, "seal_id", cfg->seal_id, sizeof(cfg->seal_id)) != 0 ||
	    take(v, "salt", cfg->salt, sizeof(cfg->salt)) != 0 ||
	    take(v, "commitment", cfg->commitment, sizeof(cfg->commitment)) != 0 ||
	    take(v, "checks", cfg->check, 32u * (size_t)n) != 0)
		return damaged(e);
	take_slot(v, "shamir", &cfg->shamir);
	take_slot(v, "auto", &cfg->automatic);
	return cfg->shamir.present ? ERR_OK : damaged(e);
}

int seal_config_read(struct db *db, struct seal_config *cfg, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * STORED_MAX);
	unsigned char *p, digest[DIGEST];
	struct value *v;
	size_t n;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = meta_get(db, a, NAME, &p, &n, e)) != ERR_OK)
		return rc;
	if (n <= DIGEST || n > STORED_MAX)
		return damaged(e);
	plain_digest(p + DIGEST, n - DIGEST, digest);
	if (memcmp(digest, p, DIGEST) != 0 ||
	    value_decode(a, p + DIGEST, n - DIGEST, &v, NULL) != ERR_OK)
		return damaged(e);
	memset(cfg, 0, sizeof(*cfg));
	return parse(v, cfg, e);
}

static struct value *render(struct arena *a, const struct seal_config *cfg)
{
	struct value *v = value_object(a);

	value_set_int(a, v, "format", FORMAT);
	value_set_int(a, v, "shares", cfg->n);
	value_set_int(a, v, "threshold", cfg->t);
	value_set_int(a, v, "epoch", cfg->epoch);
	value_set_bytes(a, v, "seal_id", cfg->seal_id, sizeof(cfg->seal_id));
	value_set_bytes(a, v, "salt", cfg->salt, sizeof(cfg->salt));
	value_set_bytes(a, v, "commitment", cfg->commitment, sizeof(cfg->commitment));
	value_set_bytes(a, v, "checks", cfg->check, 32u * (size_t)cfg->n);
	value_set_bytes(a, v, "shamir", cfg->shamir.sealed, SLOT_LEN);
	if (cfg->automatic.present)
		value_set_bytes(a, v, "auto", cfg->automatic.sealed, SLOT_LEN);
	return v;
}

int seal_config_write(struct db *db, const struct seal_config *cfg, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * STORED_MAX);
	unsigned char *p;
	struct value *v;
	size_t n;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	v = render(a, cfg);
	if (arena_failed(a) || (p = arena_alloc(a, DIGEST + value_size(v))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = value_encode(v, p + DIGEST);
	plain_digest(p + DIGEST, n, p);
	return meta_put(db, NAME, p, DIGEST + n, e);
}
