/* SPDX-License-Identifier: Apache-2.0 */
#include "crl.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "cert_client.h"
#include "cert_pem.h"
#include "crl_store.h"
#include "rng.h"
#include "sha256.h"
#include "text.h"
#include "util.h"

/* ---- one list ---- */

static void set_issuer(unsigned char out[32], struct der name)
{
	sha256_of(out, name.p, name.n);
}

static uint32_t hash_of(const struct crl *l, struct der serial)
{
	unsigned char h[crypto_shorthash_BYTES];
	uint32_t v;

	crypto_shorthash(h, serial.p, serial.n, l->hash_key);
	memcpy(&v, h, sizeof(v));
	return v;
}

/* The serial number that a slot points to: the element was checked when it was read. */
static struct der serial_at(const struct crl *l, uint32_t offset)
{
	struct der in = { l->bytes + offset, l->n - offset }, serial;
	unsigned tag;

	return der_next(&in, &tag, &serial) ? crl_serial(serial)
	                                    : (struct der){ l->bytes, 0 };
}

/* The slot of a number, or the free one where it would be. */
static uint32_t *slot_of(const struct crl *l, struct der serial)
{
	uint32_t i = hash_of(l, serial) & (l->slots - 1);

	for (; l->slot[i] != 0; i = (i + 1) & (l->slots - 1)) {
		struct der there = serial_at(l, l->slot[i] - 1);

		if (there.n == serial.n && memcmp(there.p, serial.p, serial.n) == 0)
			break;
	}
	return &l->slot[i];
}

static bool is_listed(const struct crl *l, struct der serial)
{
	return *slot_of(l, crl_serial(serial)) != 0;
}

/* Numbers have at most LIMIT_SERIAL bytes: their header is two. */
static void index_entries(struct crl *l)
{
	struct der left = l->der.entries, serial;

	while (crl_der_next(&left, &serial)) {
		uint32_t *slot = slot_of(l, crl_serial(serial));

		if (*slot == 0)
			*slot = (uint32_t)(serial.p - l->bytes) - 2 + 1;
	}
}

void crl_free(struct crl *l)
{
	if (l == NULL)
		return;
	free(l->slot);
	free(l);
}

int crl_make(const unsigned char mount[MOUNT_ID], const char *name,
             const unsigned char *p, size_t n, struct crl **out, struct err *e)
{
	struct crl *l = calloc(1, sizeof(*l) + n);
	int rc;

	if (l == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(l->mount, mount, MOUNT_ID);
	memcpy(l->name, name, strlen(name) + 1);
	memcpy(l->bytes, p, n);
	l->n = n;
	rng_bytes(l->hash_key, sizeof(l->hash_key));
	if ((rc = crl_der_read(l->bytes, n, &l->der, e)) != ERR_OK) {
		crl_free(l);
		return rc;
	}
	set_issuer(l->issuer, l->der.issuer);
	for (l->slots = 16; l->slots < l->der.n * 2;)
		l->slots *= 2;
	if ((l->slot = calloc(l->slots, sizeof(*l->slot))) == NULL) {
		crl_free(l);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	index_entries(l);
	*out = l;
	return ERR_OK;
}

struct value *crl_serials(const struct crl *l, struct arena *a)
{
	struct value *out = value_object(a);
	struct der left = l->der.entries, serial;
	char text[TEXT_DECIMAL_LEN + 1];

	while (crl_der_next(&left, &serial)) {
		size_t n;

		/* Of several entries of one certificate the first is in the table. */
		if (*slot_of(l, crl_serial(serial)) !=
		    (uint32_t)(serial.p - l->bytes) - 2 + 1)
			continue;
		n = text_decimal(serial.p, serial.n, text);
		value_setn(out, arena_dup(a, text, n), n, value_object(a));
	}
	return out;
}

/* ---- all lists ---- */

static bool is_of(const struct crl *l, const unsigned char mount[MOUNT_ID])
{
	return memcmp(l->mount, mount, MOUNT_ID) == 0;
}

const struct crl *crl_find(const struct core *c, const unsigned char mount[MOUNT_ID],
                           const char *name)
{
	const struct crls *s = c->crls;

	for (size_t i = 0; i < s->n; i++)
		if (is_of(s->at[i], mount) && strcmp(s->at[i]->name, name) == 0)
			return s->at[i];
	return NULL;
}

static int compare_names(const void *p, const void *q)
{
	const struct crl *const *x = p, *const *y = q;

	return strcmp((*x)->name, (*y)->name);
}

struct value *crl_names(const struct core *c, struct arena *a,
                        const unsigned char mount[MOUNT_ID])
{
	const struct crl *of[LIMIT_CRLS];
	struct value *out = value_array(a);
	size_t n = 0;

	for (size_t i = 0; i < c->crls->n; i++)
		if (is_of(c->crls->at[i], mount))
			of[n++] = c->crls->at[i];
	qsort(of, n, sizeof(of[0]), compare_names);
	for (size_t i = 0; i < n; i++)
		value_add(out, value_strdup(a, of[i]->name, strlen(of[i]->name)));
	return out;
}

/* ---- who is on one? ---- */

static bool lists(const struct core *c, const unsigned char mount[MOUNT_ID],
                  const unsigned char issuer[32], struct der serial)
{
	for (size_t i = 0; i < c->crls->n; i++) {
		const struct crl *l = c->crls->at[i];

		if (is_of(l, mount) && memcmp(l->issuer, issuer, 32) == 0 &&
		    is_listed(l, serial))
			return true;
	}
	return false;
}

bool crl_lists_any(const struct core *c, const unsigned char mount[MOUNT_ID],
                   const struct value *issued)
{
	for (const struct value *v = issued->first; v != NULL; v = v->next) {
		const struct value *issuer = value_get(v, "issuer");
		const struct value *serial = value_get(v, "serial");

		if (lists(c, mount, (const unsigned char *)issuer->text,
		          (struct der){ (const unsigned char *)serial->text,
		                        serial->len }))
			return true;
	}
	return false;
}

bool crl_lists_cert(const struct core *c, const unsigned char mount[MOUNT_ID],
                    const unsigned char *der, size_t n)
{
	unsigned char issuer[32];
	struct cert_issued who;

	if (c->crls->n == 0)
		return false;
	if (!cert_der_issued(der, n, &who))
		return true;
	set_issuer(issuer, who.issuer);
	return lists(c, mount, issuer, who.serial);
}
