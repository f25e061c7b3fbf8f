/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json - the JSON reader, then writer and reader again: what was accepted must come
 * back as the same tree, and survive the frame encoding.
 */
#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "server/net/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct arena *a, const struct value *v)
{
	struct jbuf b = { NULL, 0, 0, false };
	struct value *again = NULL, *decoded = NULL;
	unsigned char *packed;
	size_t n;

	json_write(&b, v);
	assert(!b.failed);
	assert(json_parse(a, b.p, b.len, &again, NULL) == ERR_OK);
	assert(value_equal(v, again));
	packed = value_pack(a, v, &n);
	assert(packed != NULL);
	assert(value_decode(a, packed, n, &decoded, NULL) == ERR_OK);
	assert(value_equal(v, decoded));
	jbuf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new((size_t)256 << 20);
	struct value *v = NULL;
	struct err e = { .code = ERR_OK };

	if (a == NULL || sodium_init() < 0)
		return 0;
	if (json_parse(a, (const char *)data, size, &v, &e) == ERR_OK) {
		assert(v != NULL);
		round_trip(a, v);
	} else {
		assert(e.code == ERR_INVALID && e.msg[0] != '\0');
	}
	arena_free(a);
	return 0;
}
