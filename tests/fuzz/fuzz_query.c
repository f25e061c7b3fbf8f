/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_query - query strings and form bodies: total, and what they give fits a frame. */
#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"
#include "server/net/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct value *v)
{
	assert(v->type == V_STRING && text_utf8_ok(v->text, v->len));
	for (size_t i = 0; i < v->len; i++)
		assert(v->text[i] != '\0');
}

static void check(struct arena *a, struct value *v)
{
	struct value *decoded = NULL;
	struct err e;
	size_t n;
	unsigned char *packed = value_pack(a, v, &n);
	bool flag;

	assert(v->type == V_OBJECT && v->len <= QUERY_PAIRS_MAX);
	for (const struct value *m = v->first; m != NULL; m = m->next) {
		assert(value_getn(v, m->key, m->key_len) == m);
		if (m->type != V_ARRAY) {
			check_text(m);
			continue;
		}
		assert(m->len > 1);
		for (const struct value *i = m->first; i != NULL; i = i->next)
			check_text(i);
	}
	assert(packed != NULL);
	assert(value_decode(a, packed, n, &decoded, &e) == ERR_OK);
	assert(value_equal(v, decoded));
	(void)query_go_bool(query_remove(v, "list"), &flag);
	assert(value_get(v, "list") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct value *v = NULL;
	struct err e = { .code = ERR_OK };

	if (a == NULL || sodium_init() < 0)
		return 0;
	if (query_parse(a, (const char *)data, size, &v, &e) == ERR_OK)
		check(a, v);
	else
		assert(e.code != ERR_OK && e.msg[0] != '\0');
	arena_free(a);
	return 0;
}
