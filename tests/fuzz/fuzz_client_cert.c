/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_client_cert - what a TLS client may show as its certificate, and as its chain.
 *
 * The input is a chain: each certificate behind two bytes of length.  Whatever is told
 * to core must survive the frame encoding and keep the promises of vault/ipc.h.
 */
#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/text.h"
#include "server/net/client_cert.h"
#include "vault/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const struct value *list)
{
	assert(list != NULL && list->type == V_ARRAY);
	for (const struct value *v = list->first; v != NULL; v = v->next) {
		assert(v->type == V_STRING && v->len > 0 &&
		       text_utf8_ok(v->text, v->len));
		for (size_t i = 0; i < v->len; i++)
			assert((unsigned char)v->text[i] >= 0x20);
	}
}

static void check(struct arena *a, const struct value *v)
{
	struct value *decoded = NULL;
	struct err e;
	size_t n;
	unsigned char *packed = value_pack(a, v, &n);

	assert(packed != NULL);
	assert(value_decode(a, packed, n, &decoded, &e) == ERR_OK);
	assert(value_equal(v, decoded));
	assert(value_get(v, "sha256")->len == 32);
	assert(value_get(v, "spki_sha256")->len == 32);
	assert(value_get(v, "anchors")->len == 0);
	assert(value_get(v, "chain")->len <= IPC_CLIENT_CHAIN);
	check_names(value_get(v, "dns_names"));
	check_names(value_get(v, "email_addresses"));
	check_names(value_get(v, "uris"));
	check_names(value_get(v, "organizational_units"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gnutls_datum_t der[IPC_CLIENT_CHAIN + 1];
	struct arena *a = arena_new((size_t)16 << 20);
	struct value *v;
	unsigned n = 0;

	if (a == NULL || sodium_init() < 0)
		return 0;
	while (size >= 2 && n < IPC_CLIENT_CHAIN + 1) {
		size_t len = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		der[n++] = (gnutls_datum_t){ (unsigned char *)(uintptr_t)data,
			                     (unsigned)len };
		data += len;
		size -= len;
	}
	v = client_cert_describe(NULL, der, n, 1700000000, a);
	if (v != NULL)
		check(a, v);
	if (n > 0)
		(void)client_key_ok(&der[0]);
	arena_free(a);
	return 0;
}
