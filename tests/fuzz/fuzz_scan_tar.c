/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_scan_tar - the tar reader: whatever the pieces that the archive comes in, it tells
 * the same members, and no name leaves the root.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/archive/member_path.h"
#include "scanner/archive/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory in pieces of ${step} bytes, each in a block of its own so that a read beyond it
 * is seen. */
struct pieces {
	struct stream s;
	const uint8_t *p;
	size_t n, step;
	uint8_t *piece;
};

static int next_piece(struct stream *base, const uint8_t **p, size_t *n)
{
	struct pieces *s = (struct pieces *)base;

	free(s->piece);
	s->piece = NULL;
	if (s->n == 0)
		return 0;
	*n = s->n < s->step ? s->n : s->step;
	s->piece = malloc(*n);
	if (s->piece == NULL)
		abort();
	memcpy(s->piece, s->p, *n);
	*p = s->piece;
	s->p += *n;
	s->n -= *n;
	return 1;
}

static void add(crypto_generichash_state *h, const void *p, size_t n)
{
	uint64_t len = n;

	crypto_generichash_update(h, (const unsigned char *)&len, sizeof(len));
	crypto_generichash_update(h, p, n);
}

static void check_name(const char *name)
{
	char path[MEMBER_PATH_CAP];
	size_t n = member_path(name, path);

	if (n != strlen(path) || path[0] == '/' || (n > 0 && path[n - 1] == '/') ||
	    strstr(path, "//") != NULL || strcmp(path, "..") == 0 ||
	    strncmp(path, "../", 3) == 0 || strstr(path, "/../") != NULL)
		abort();
}

static void member(crypto_generichash_state *h, struct tar *t, const struct tar_entry *e,
                   bool with_data)
{
	uint64_t n = 0;
	const uint8_t *p;
	size_t got;
	int r = 0;

	check_name(e->name);
	add(h, e->name, strlen(e->name));
	add(h, e->link, strlen(e->link));
	add(h, &e->size, sizeof(e->size));
	add(h, &e->apparent, sizeof(e->apparent));
	add(h, &e->doubtful, sizeof(e->doubtful));
	while (with_data && (r = stream_next(tar_data(t), &p, &got)) > 0) {
		crypto_generichash_update(h, p, got);
		n += got;
	}
	if (with_data && r == 0 && n != e->size)
		abort();
}

static void listing(const uint8_t *data, size_t size, size_t step, bool with_data,
                    unsigned char out[32])
{
	struct pieces in = {
		.s = { .next = next_piece }, .p = data, .n = size, .step = step
	};
	struct tar *t = tar_open(&in.s);
	crypto_generichash_state h;
	struct tar_entry e;
	const uint8_t *p;
	size_t got;
	int r;

	if (t == NULL)
		abort();
	crypto_generichash_init(&h, NULL, 0, 32);
	while ((r = tar_next(t, &e)) > 0)
		member(&h, t, &e, with_data);
	add(&h, &r, sizeof(r));
	add(&h, tar_why(t), strlen(tar_why(t)));
	while (stream_next(tar_rest(t), &p, &got) > 0)
		crypto_generichash_update(&h, p, got);
	tar_close(t);
	free(in.piece);
	crypto_generichash_final(&h, out, 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 512, 7, 1000 };
	unsigned char whole[32], again[32];

	for (int with_data = 0; with_data < 2; with_data++) {
		listing(data, size, size + 1, with_data != 0, whole);
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			listing(data, size, steps[i], with_data != 0, again);
			if (memcmp(whole, again, sizeof(whole)) != 0)
				abort();
		}
	}
	return 0;
}
