/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_decode - the input as a blob that comes in two buffers: what is told has spans
 * that lie in the buffer, and stays within the budget.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/decode/decode.h"
#include "scanner/decode/transcode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct check {
	size_t n, made; /* of the buffer; what was told */
};

static void on_text(void *ctx, const struct decoded *d)
{
	struct check *c = ctx;

	must(d->n > 0 && d->n <= DECODE_PIECE + 1024 && d->depth >= 1 &&
	     d->depth <= DECODE_DEPTH);
	must(d->spans_n > 0 && d->spans[0].text == 0 && strlen(d->how) < DECODE_HOW);
	for (size_t i = 0; i < d->spans_n; i++) {
		must(d->spans[i].text < d->n || d->spans[i].text == 0);
		must(d->spans[i].at <= c->n && d->spans[i].len <= c->n - d->spans[i].at);
	}
	must(decode_origin(d, d->n - 1) == &d->spans[d->spans_n - 1]);
	c->made += d->n;
}

static void transcode(const uint8_t *data, size_t size)
{
	struct transcode t = { .form = TRANSCODE_UTF16LE };
	unsigned char *out;
	size_t n;

	for (int form = TRANSCODE_UTF16LE; form <= TRANSCODE_UTF32BE; form++) {
		t = (struct transcode){ .form = (enum transcode_form)form };
		out = malloc(TRANSCODE_ROOM(size));
		must(out != NULL);
		n = transcode_run(&t, data, size / 2, out);
		n += transcode_run(&t, data + size / 2, size - size / 2, out + n);
		must(n <= TRANSCODE_ROOM(size));
		free(out);
	}
	(void)transcode_detect(data, size);
}

typedef size_t (*find_fn)(struct decoder *, const unsigned char *, size_t, size_t, bool,
                          decode_fn, void *);

static void whole_and_cut(struct decoder *d, find_fn find, const uint8_t *data,
                          size_t size)
{
	struct check c = { .n = size };
	size_t cut, next;
	uint8_t *part;

	decoder_begin(d);
	must(find(d, data, size, 0, true, on_text, &c) == size);
	must(c.made <= size * DECODE_FACTOR + (size_t)256 * 1024 + 512 * DECODE_KEEP);
	if (size < 2)
		return;
	cut = data[0] % size;
	part = malloc(cut + 1);
	must(part != NULL);
	memcpy(part, data, cut);
	decoder_begin(d);
	c.n = cut;
	next = find(d, part, cut, 0, false, on_text, &c);
	must(next <= cut && cut - next <= DECODE_KEEP);
	free(part);
	c.n = size - next;
	must(find(d, data + next, size - next, 0, true, on_text, &c) == size - next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoder *d;

	if (d == NULL && (d = decoder_new()) == NULL)
		abort();
	transcode(data, size);
	whole_and_cut(d, decode_find, data, size);
	whole_and_cut(d, decode_wide, data, size);
	return 0;
}
