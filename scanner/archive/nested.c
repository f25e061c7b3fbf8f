/* SPDX-License-Identifier: Apache-2.0 */
#include "nested.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define SEEKABLE_MAX (32u << 20) /* of an archive whose directory is at its end */

struct nested {
	struct archive *a;
	struct archive_entry *entry;
	struct stream *in;
	struct stream data;
	uint64_t ratio, out_bytes;
	uint8_t *whole; /* an archive that is read from its end */
	const char *why;
	bool opened;
};

struct magic {
	uint8_t bytes[8];
	size_t n;
};

static const struct magic seven_zip = {
	{'7', 'z', 0xbc, 0xaf, 0x27, 0x1c},
	6
};

static bool begins(const struct magic *m, const uint8_t *p, size_t n)
{
	return n >= m->n && memcmp(p, m->bytes, m->n) == 0;
}

bool nested_looks(const uint8_t *p, size_t n)
{
	static const struct magic known[] = {
		{{ 'P', 'K', 3, 4 },                           4},
		{ { 'P', 'K', 5, 6 },                          4},
		{ { '0', '7', '0', '7', '0', '1' },            6},
		{ { '0', '7', '0', '7', '0', '2' },            6},
		{ { '0', '7', '0', '7', '0', '7' },            6},
		{ { '!', '<', 'a', 'r', 'c', 'h', '>', '\n' }, 8},
		{ { 0xed, 0xab, 0xee, 0xdb },                  4},
		{ { 'B', 'Z', 'h' },                           3},
		{ { 4, 0x22, 0x4d, 0x18 },                     4},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (begins(&known[i], p, n))
			return true;
	return begins(&seven_zip, p, n);
}

static la_ssize_t on_read(struct archive *a, void *ctx, const void **out)
{
	struct nested *z = ctx;
	const uint8_t *p = NULL;
	size_t n = 0;
	int r = stream_next(z->in, &p, &n);

	(void)a;
	if (r < 0)
		z->why = z->in->why;
	*out = p;
	return r < 0 ? ARCHIVE_FATAL : (la_ssize_t)n;
}

static bool choose_formats(struct archive *a)
{
	return archive_read_support_filter_bzip2(a) == ARCHIVE_OK &&
	       archive_read_support_filter_lz4(a) == ARCHIVE_OK &&
	       archive_read_support_filter_gzip(a) == ARCHIVE_OK &&
	       archive_read_support_filter_xz(a) == ARCHIVE_OK &&
	       archive_read_support_filter_zstd(a) == ARCHIVE_OK &&
	       archive_read_support_filter_rpm(a) == ARCHIVE_OK &&
	       archive_read_support_format_zip_streamable(a) == ARCHIVE_OK &&
	       archive_read_support_format_7zip(a) == ARCHIVE_OK &&
	       archive_read_support_format_cpio(a) == ARCHIVE_OK &&
	       archive_read_support_format_ar(a) == ARCHIVE_OK &&
	       archive_read_support_format_raw(a) == ARCHIVE_OK;
}

/* All of it in memory, because the format must be read from its end. */
static int open_whole(struct nested *z)
{
	const uint8_t *p;
	size_t n, have = 0;
	int r;

	z->whole = malloc(SEEKABLE_MAX);
	if (z->whole == NULL)
		return -1;
	while ((r = stream_next(z->in, &p, &n)) > 0) {
		if (n > SEEKABLE_MAX - have) {
			z->why = "a 7-Zip archive is too large";
			return -1;
		}
		memcpy(z->whole + have, p, n);
		have += n;
	}
	if (r < 0) {
		z->why = z->in->why;
		return -1;
	}
	return archive_read_open_memory(z->a, z->whole, have);
}

struct nested *nested_open(struct stream *in, uint64_t ratio)
{
	struct nested *z = calloc(1, sizeof(*z));
	const uint8_t *p;
	size_t n;

	if (z == NULL)
		return NULL;
	z->in = in;
	z->ratio = ratio;
	z->why = "it is damaged, or of an unknown kind";
	z->a = archive_read_new();
	if (z->a == NULL || !choose_formats(z->a)) {
		nested_close(z);
		return NULL;
	}
	n = stream_peek(in, &p);
	if (begins(&seven_zip, p, n))
		z->opened = open_whole(z) == ARCHIVE_OK;
	else
		z->opened = archive_read_open(z->a, z, NULL, on_read, NULL) == ARCHIVE_OK;
	return z;
}

void nested_close(struct nested *z)
{
	if (z == NULL)
		return;
	if (z->a != NULL)
		archive_read_free(z->a);
	free(z->whole);
	free(z);
}

int nested_next(struct nested *z, const char **name)
{
	int r;

	if (!z->opened)
		return -1;
	r = archive_read_next_header(z->a, &z->entry);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return -1;
	*name = archive_entry_pathname(z->entry);
	if (*name == NULL)
		*name = archive_entry_pathname_utf8(z->entry);
	if (*name == NULL)
		*name = "(a name)";
	return 1;
}

static bool ratio_ok(const struct nested *z)
{
	uint64_t in = (uint64_t)archive_filter_bytes(z->a, -1);

	return z->out_bytes / z->ratio <= in + SCAN_RATIO_WINDOW;
}

static int data_next(struct stream *s, const uint8_t **p, size_t *n)
{
	struct nested *z = (struct nested *)((char *)s - offsetof(struct nested, data));
	const void *block = NULL;
	la_int64_t offset;
	int r = archive_read_data_block(z->a, &block, n, &offset);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN) {
		s->why = "the archive is damaged";
		return -1;
	}
	z->out_bytes += *n;
	if (!ratio_ok(z)) {
		s->why = "it unpacks to suspiciously much";
		return -1;
	}
	*p = block;
	return 1;
}

struct stream *nested_data(struct nested *z, const char **why)
{
	*why = NULL;
	if (archive_entry_is_encrypted(z->entry)) {
		*why = "it is encrypted";
		return NULL;
	}
	/* The raw format and some others know no kinds. */
	if (archive_entry_filetype(z->entry) != AE_IFREG &&
	    archive_entry_filetype(z->entry) != 0)
		return NULL;
	memset(&z->data, 0, sizeof(z->data));
	z->data.next = data_next;
	return &z->data;
}

const char *nested_why(const struct nested *z)
{
	return z->why;
}
