/* SPDX-License-Identifier: Apache-2.0 */
#include "tar.h"

#include <string.h>

#include "tar_impl.h"

#define BLOCK TAR_BLOCK

int tar_fail(struct tar *t, const char *why)
{
	t->why = why;
	t->failed = true;
	return -1;
}

struct tar *tar_open(struct stream *in)
{
	struct tar *t = calloc(1, sizeof(*t));

	if (t != NULL) {
		t->in = in;
		t->why = "";
	}
	return t;
}

void tar_close(struct tar *t)
{
	free(t);
}

const char *tar_why(const struct tar *t)
{
	return t->why;
}

void tar_skip_with(struct tar *t, int (*skip)(void *ctx, uint64_t n), void *ctx)
{
	t->skip = skip;
	t->skip_ctx = ctx;
}

/* At most ${max} bytes, in place: 1, 0 at the end, -1. */
static int pull(struct tar *t, uint64_t max, const uint8_t **p, size_t *n)
{
	if (t->piece_n == 0) {
		int r = stream_next(t->in, &t->piece, &t->piece_n);

		if (r <= 0) {
			t->piece_n = 0;
			return r < 0 ? tar_fail(t, t->in->why) : 0;
		}
	}
	*p = t->piece;
	*n = t->piece_n < max ? t->piece_n : (size_t)max;
	t->piece += *n;
	t->piece_n -= *n;
	t->at += *n;
	return 1;
}

/* Exactly ${n} bytes into ${out}: 1, 0 if the stream ended before the first, -1. */
static int pull_all(struct tar *t, void *out, size_t n)
{
	uint8_t *to = out;
	size_t have = 0;

	while (have < n) {
		const uint8_t *p;
		size_t got;
		int r = pull(t, n - have, &p, &got);

		if (r < 0)
			return -1;
		if (r == 0)
			return have == 0 ? 0
			                 : tar_fail(t, "the archive ends in a header");
		memcpy(to + have, p, got);
		have += got;
	}
	return 1;
}

static int pass_over(struct tar *t, uint64_t n)
{
	uint64_t here = n < t->piece_n ? n : t->piece_n;

	if (here > 0)
		t->piece += here;
	t->piece_n -= (size_t)here;
	t->at += here;
	n -= here;
	if (n > 0 && t->skip != NULL) {
		t->at += n;
		return t->skip(t->skip_ctx, n) == 0
		               ? 0
		               : tar_fail(t, "the archive ends in a member");
	}
	while (n > 0) {
		const uint8_t *p;
		size_t got;
		int r = pull(t, n, &p, &got);

		if (r < 0)
			return -1;
		if (r == 0)
			return tar_fail(t, "the archive ends in a member");
		n -= got;
	}
	return 0;
}

/* A field of octal digits, or GNU's binary form; -1. */
int64_t tar_number(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		v = p[0] & 0x3f; /* 0x40 is the sign */
		if (p[0] & 0x40)
			return -1;
		for (i = 1; i < n; i++) {
			if (v >> 55 != 0)
				return -1;
			v = v << 8 | p[i];
		}
		return (int64_t)v;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
		if (v >> 59 != 0)
			return -1;
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	for (; i < n; i++)
		if (p[i] != '\0' && p[i] != ' ')
			return -1;
	return (int64_t)v;
}

/* Some old programs summed signed characters. */
static bool checksum_ok(const uint8_t *b)
{
	int64_t want = tar_number(b + 148, 8), plain = 0, with_sign = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		uint8_t c = i >= 148 && i < 156 ? ' ' : b[i];

		plain += c;
		with_sign += (int8_t)c;
	}
	return want == plain || want == with_sign;
}

static bool all_zero(const uint8_t *b)
{
	return b[0] == 0 && memcmp(b, b + 1, BLOCK - 1) == 0;
}

bool tar_looks(const uint8_t *p, size_t n)
{
	return n >= BLOCK && !all_zero(p) && tar_number(p + 124, 12) >= 0 &&
	       checksum_ok(p);
}

static uint64_t padding(uint64_t n)
{
	return (BLOCK - n % BLOCK) % BLOCK;
}

/* The name in the block itself: prefix and name of ustar; GNU uses prefix otherwise. */
static void block_names(struct tar *t)
{
	const char *name = (const char *)t->block, *prefix = name + 345;
	bool ustar = memcmp(t->block + 257, "ustar\0", 6) == 0;
	size_t n = strnlen(name, 100), pn = ustar ? strnlen(prefix, 155) : 0, ln;

	if (!t->have_name) {
		memcpy(t->name, prefix, pn);
		if (pn > 0)
			t->name[pn++] = '/';
		memcpy(t->name + pn, name, n);
		t->name[pn + n] = '\0';
	}
	if (!t->have_link) {
		ln = strnlen(name + 157, 100);
		memcpy(t->link, name + 157, ln);
		t->link[ln] = '\0';
	}
}

static enum tar_kind kind_of(const struct tar *t)
{
	size_t n = strlen(t->name);

	switch (t->block[156]) {
	case '0':
	case '\0':
	case '7':
	case 'S':
		/* Before ustar a directory was a file whose name ends so. */
		return n > 0 && t->name[n - 1] == '/' ? TAR_DIRECTORY : TAR_FILE;
	case '5':
		return TAR_DIRECTORY;
	case '1':
	case '2':
		return TAR_LINK;
	default:
		return TAR_OTHER;
	}
}

/* Too large for the block is why there is another size; a small one that differs is what
 * a reader without PAX would believe. */
static uint64_t settle_size(const struct tar *t, uint64_t in_block, bool *doubtful)
{
	if (!t->have_size)
		return in_block;
	*doubtful = in_block != t->pax_size && t->pax_size < TAR_OCTAL_MAX;
	return t->pax_size;
}

/* Old GNU sparse: regions in the block and in blocks behind it. */
static int sparse_blocks(struct tar *t, struct tar_entry *e)
{
	bool more = t->block[482] != 0;
	unsigned regions = 4;
	uint8_t b[BLOCK];
	int64_t real = tar_number(t->block + 483, 12);

	if (real < 0)
		return tar_fail(t, "a sparse member has no size");
	e->apparent = (uint64_t)real;
	while (more) {
		int r;

		regions += 21;
		if (regions > SCAN_TAR_SPARSE)
			return tar_fail(t, "a sparse member has too many regions");
		r = pull_all(t, b, sizeof(b));
		if (r <= 0)
			return r < 0 ? -1 : tar_fail(t, "the archive ends in a header");
		more = b[504] != 0;
	}
	return 0;
}

static int data_next(struct stream *s, const uint8_t **p, size_t *n)
{
	struct tar *t = (struct tar *)((char *)s - offsetof(struct tar, data));
	int r;

	if (t->left == 0)
		return 0;
	r = pull(t, t->left, p, n);
	if (r <= 0) {
		s->why = r < 0 ? t->why : "the archive ends in a member";
		if (r == 0)
			(void)tar_fail(t, s->why);
		return -1;
	}
	t->left -= *n;
	return 1;
}

struct stream *tar_data(struct tar *t)
{
	return &t->data;
}

static int rest_next(struct stream *s, const uint8_t **p, size_t *n)
{
	struct tar *t = (struct tar *)((char *)s - offsetof(struct tar, data));
	int r;

	if (t->piece_n > 0) {
		*p = t->piece;
		*n = t->piece_n;
		t->piece_n = 0;
		return 1;
	}
	r = stream_next(t->in, p, n);
	if (r < 0)
		s->why = t->in->why;
	return r;
}

struct stream *tar_rest(struct tar *t)
{
	memset(&t->data, 0, sizeof(t->data));
	t->data.next = rest_next;
	return &t->data;
}

static int fill_entry(struct tar *t, struct tar_entry *e)
{
	int64_t size = tar_number(t->block + 124, 12);

	if (size < 0)
		return tar_fail(t, "a member's size is no number");
	block_names(t);
	e->kind = kind_of(t);
	e->name = t->name;
	e->link = t->link;
	e->doubtful = false;
	e->size = settle_size(t, (uint64_t)size, &e->doubtful);
	/* Links, devices and directories have no data, whatever they say. */
	if (t->block[156] >= '1' && t->block[156] <= '6')
		e->size = 0;
	e->apparent = t->have_real ? t->pax_real : e->size;
	if (t->block[156] == 'S' && sparse_blocks(t, e) != 0)
		return -1;
	e->offset = t->at;
	t->left = e->size;
	t->pad = padding(e->size);
	memset(&t->data, 0, sizeof(t->data));
	t->data.next = data_next;
	return 1;
}

/* The next block that is no extended header: 1, 0, -1. */
static int next_block(struct tar *t)
{
	unsigned zero = 0;
	int r;

	while ((r = pull_all(t, t->block, BLOCK)) > 0) {
		uint8_t type = t->block[156];

		if (all_zero(t->block)) {
			if (++zero == 2)
				return 0;
			continue;
		}
		zero = 0;
		if (!checksum_ok(t->block))
			return tar_fail(t, "a header's checksum is wrong");
		if (type != 'x' && type != 'g' && type != 'L' && type != 'K')
			return 1;
		if (tar_extended(t) != 0)
			return -1;
	}
	return r;
}

int tar_next(struct tar *t, struct tar_entry *entry)
{
	int r;

	if (t->failed)
		return -1;
	if (pass_over(t, t->left + t->pad) != 0)
		return -1;
	t->left = t->pad = 0;
	t->have_name = t->have_link = t->have_size = t->have_real = false;
	t->extended = 0;
	r = next_block(t);
	return r <= 0 ? r : fill_entry(t, entry);
}

int tar_read(struct tar *t, void *out, size_t n)
{
	int r = pull_all(t, out, n);

	return r == 0 ? tar_fail(t, "the archive ends in a header") : r;
}

int tar_pass(struct tar *t, uint64_t n)
{
	return pass_over(t, n);
}
