/* SPDX-License-Identifier: Apache-2.0 */
#include "tzif.h"

#include <stdlib.h>
#include <string.h>

#define HEADER     44u
#define TYPE_SIZE  6u
#define TYPES_MAX  256u
#define TIME_BOUND (INT64_C(1) << 59) /* RFC 8536 section 3.2 */
#define OFFSET_LOW (-25 * 3600)       /* exclusive, as the other */
#define OFFSET_TOP (26 * 3600)

struct type {
	int32_t offset;
	bool dst;
	char abbr[ZONE_ABBR_MAX + 1];
};

struct tzif {
	size_t n_times;
	int64_t *times;       /* ascending */
	unsigned char *which; /* the type that holds from that time on */
	struct type *types;   /* the first holds before all times */
	bool has_rule;
	struct zone_rule rule; /* after the last time */
};

struct counts {
	size_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* The header at ${p}; false: it is none. */
static bool read_header(const unsigned char *p, size_t n, struct counts *out)
{
	if (n < HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return false;
	out->isut = be32(p + 20);
	out->isstd = be32(p + 24);
	out->leap = be32(p + 28);
	out->time = be32(p + 32);
	out->type = be32(p + 36);
	out->chars = be32(p + 40);
	/* Also keeps the sums below from overflowing. */
	return out->isut <= TYPES_MAX && out->isstd <= TYPES_MAX &&
	       out->leap <= TZIF_MAX && out->time <= TZIF_MAX && out->type <= TYPES_MAX &&
	       out->chars <= TZIF_MAX;
}

static size_t block_size(const struct counts *c, size_t time_size)
{
	return c->time * (time_size + 1) + c->type * TYPE_SIZE + c->chars +
	       c->leap * (time_size + 4) + c->isstd + c->isut;
}

static int malformed(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "the time zone file is malformed: %s", what);
}

static struct tzif *allocate(const struct counts *c)
{
	size_t times = c->time * sizeof(int64_t), types = c->type * sizeof(struct type);
	struct tzif *z = calloc(1, sizeof(*z) + times + types + c->time);
	unsigned char *p = (unsigned char *)(z + 1);

	if (z == NULL)
		return NULL;
	z->n_times = c->time;
	z->times = (int64_t *)(void *)p;
	z->types = (struct type *)(void *)(p + times);
	z->which = p + times + types;
	return z;
}

static bool abbr_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '+' || c == '-';
}

/* The NUL-terminated name at ${at} of the ${n} characters. */
static bool read_abbr(const unsigned char *chars, size_t n, size_t at, char *out)
{
	size_t i = 0;

	for (; at + i < n && chars[at + i] != '\0'; i++) {
		if (i >= ZONE_ABBR_MAX || !abbr_char(chars[at + i]))
			return false;
		out[i] = (char)chars[at + i];
	}
	return at + i < n;
}

static int read_times(struct tzif *z, const struct counts *c, const unsigned char *p,
                      struct err *e)
{
	const unsigned char *which = p + c->time * 8;

	for (size_t i = 0; i < c->time; i++) {
		z->times[i] = be64(p + i * 8);
		z->which[i] = which[i];
		if (z->times[i] < -TIME_BOUND || z->times[i] > TIME_BOUND)
			return malformed(e, "a time is out of bounds");
		if (i > 0 && z->times[i] <= z->times[i - 1])
			return malformed(e, "its times do not ascend");
		if (which[i] >= c->type)
			return malformed(e, "a time of no type");
	}
	return ERR_OK;
}

static int read_types(struct tzif *z, const struct counts *c, const unsigned char *p,
                      struct err *e)
{
	const unsigned char *chars = p + c->type * TYPE_SIZE;

	for (size_t i = 0; i < c->type; i++, p += TYPE_SIZE) {
		struct type *t = &z->types[i];

		t->offset = (int32_t)be32(p);
		t->dst = p[4] == 1;
		if (t->offset <= OFFSET_LOW || t->offset >= OFFSET_TOP || p[4] > 1)
			return malformed(e, "a type out of bounds");
		if (!read_abbr(chars, c->chars, p[5], t->abbr))
			return malformed(e, "a type without a proper name");
	}
	return ERR_OK;
}

static int read_footer(struct tzif *z, const unsigned char *p, size_t n, struct err *e)
{
	if (n < 2 || p[0] != '\n' || p[n - 1] != '\n')
		return malformed(e, "no footer");
	if (n == 2)
		return ERR_OK;
	if (zone_rule_parse((const char *)p + 1, n - 2, &z->rule) != 0)
		return malformed(e, "its footer is no rule");
	z->has_rule = true;
	return ERR_OK;
}

/* Past the data of version 1, which has times of 32 bits. */
static int find_block(const unsigned char **p, size_t *n, struct counts *c, struct err *e)
{
	size_t skip;

	if (!read_header(*p, *n, c))
		return err_set(e, ERR_INVALID,
		               "not a time zone file of version 2 or later");
	skip = HEADER + block_size(c, 4);
	if (skip > *n || !read_header(*p + skip, *n - skip, c))
		return malformed(e, "cut off");
	*p += skip + HEADER;
	*n -= skip + HEADER;
	if (c->leap != 0)
		return err_set(e, ERR_INVALID, "the time zone counts leap seconds");
	if (c->type == 0 || c->chars == 0 || (c->isut != 0 && c->isut != c->type) ||
	    (c->isstd != 0 && c->isstd != c->type))
		return malformed(e, "its counts do not add up");
	return block_size(c, 8) <= *n ? ERR_OK : malformed(e, "cut off");
}

int tzif_read(const void *data, size_t n, struct tzif **out, struct err *e)
{
	const unsigned char *p = data;
	struct counts c = { 0 };
	struct tzif *z;
	size_t size;
	int rc;

	if (n > TZIF_MAX)
		return malformed(e, "too long");
	if ((rc = find_block(&p, &n, &c, e)) != ERR_OK)
		return rc;
	if ((z = allocate(&c)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	size = block_size(&c, 8);
	if ((rc = read_times(z, &c, p, e)) != ERR_OK ||
	    (rc = read_types(z, &c, p + c.time * 9, e)) != ERR_OK ||
	    (rc = read_footer(z, p + size, n - size, e)) != ERR_OK) {
		tzif_free(z);
		return rc;
	}
	*out = z;
	return ERR_OK;
}

void tzif_free(struct tzif *z)
{
	free(z);
}

/* How many times are not after ${t}. */
static size_t passed(const struct tzif *z, int64_t t)
{
	size_t low = 0, high = z->n_times;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (z->times[mid] <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void tzif_span(const struct tzif *z, int64_t t, struct zone_span *out)
{
	size_t n = passed(z, t);
	const struct type *type = &z->types[n > 0 ? z->which[n - 1] : 0];
	int64_t begin = n > 0 ? z->times[n - 1] : INT64_MIN;

	if (n == z->n_times && z->has_rule) {
		zone_rule_span(&z->rule, t, out);
		if (out->begin < begin)
			out->begin = begin;
		return;
	}
	out->begin = begin;
	out->end = n < z->n_times ? z->times[n] : INT64_MAX;
	out->offset = type->offset;
	out->dst = type->dst;
	out->abbr = type->abbr;
}
