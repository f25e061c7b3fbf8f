/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "archive/member_path.h"
#include "archive/tar.h"

#define CAP 262144

static uint8_t image[CAP];
static size_t used;

/* A header block with its checksum. */
static void block(const char *name, char type, uint64_t size)
{
	char *b = (char *)image + used;
	unsigned sum = 0;

	memset(b, 0, 512);
	snprintf(b, 100, "%s", name);
	memcpy(b + 100, "0000644", 7);
	snprintf(b + 124, 12, "%011llo", (unsigned long long)size & 077777777777);
	b[156] = type;
	memcpy(b + 257, "ustar\00000", 8);
	memset(b + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)b[i];
	snprintf(b + 148, 8, "%06o", sum);
	used += 512;
}

static void data(const char *text)
{
	size_t n = strlen(text);

	memcpy(image + used, text, n);
	used += n;
	used += (512 - n % 512) % 512;
}

static void setup(void)
{
	memset(image, 0, sizeof(image));
	used = 0;
}

TestSuite(tar, .init = setup, .timeout = 20);

/* All members as "name:kind:size:data" lines; the result of the last tar_next() at the
 * end. */
static const char *listing(void)
{
	static char out[8192];
	struct stream_mem in;
	struct tar_entry e;
	struct tar *t;
	size_t n = 0;
	int r;

	stream_mem_init(&in, image, used);
	t = tar_open(&in.s);
	cr_assert_not_null(t);
	while ((r = tar_next(t, &e)) > 0) {
		const uint8_t *p;
		size_t got;

		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s:%d:%llu%s:", e.name,
		                      (int)e.kind, (unsigned long long)e.size,
		                      e.doubtful ? "?" : "");
		while (stream_next(tar_data(t), &p, &got) > 0)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s", (int)got,
			                      (const char *)p);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "\n");
	}
	snprintf(out + n, sizeof(out) - n, "%d %s", r, r < 0 ? tar_why(t) : "");
	tar_close(t);
	return out;
}

Test(tar, members_in_order)
{
	block("a", '0', 5);
	data("hello");
	block("d/", '5', 0);
	block("l", '2', 77); /* a link has no data, whatever it says */
	block("b", '0', 3);
	data("end");
	used += 1024;
	cr_assert_str_eq(listing(), "a:0:5:hello\nd/:1:0:\nl:2:0:\nb:0:3:end\n0 ");
}

Test(tar, pax_size_decides_and_a_disagreement_is_told)
{
	block("x", 'x', 10);
	data("10 size=7\n");
	block("a", '0', 0); /* what a reader without PAX would believe */
	data("content");
	used += 1024;
	cr_assert_str_eq(listing(), "a:0:7?:content\n0 ");
}

Test(tar, pax_size_that_the_block_cannot_hold_is_no_disagreement)
{
	block("x", 'x', 19);
	data("19 size=8589934592\n");
	block("a", '0', 0);
	cr_assert_str_eq(listing(), "a:0:8589934592:\n-1 the archive ends in a member");
}

struct bad {
	char name[32], record[64];
};

ParameterizedTestParameters(tar, malformed_pax_is_an_error)
{
	static struct bad c[] = {
		{"length too small",  "3 size=7\n"  },
		{ "length too large", "99 size=7\n" },
		{ "no newline",       "9 size=7x"   },
		{ "no equals sign",   "9 size:7\n"  },
		{ "size in letters",  "9 size=z\n"  },
		{ "negative size",    "10 size=-1\n"},
		{ "empty size",       "8 size=\n"   },
	};

	return cr_make_param_array(struct bad, c, ARRAY_LEN(c));
}

ParameterizedTest(struct bad *c, tar, malformed_pax_is_an_error)
{
	block("x", 'x', strlen(c->record));
	data(c->record);
	block("a", '0', 1);
	data("z");
	used += 1024;
	cr_assert_not_null(strstr(listing(), "-1 "), "%s: %s", c->name, listing());
}

Test(tar, extended_headers_are_bounded)
{
	for (int i = 0; i < 60; i++) {
		block("x", 'x', 1024);
		used += 1024;
	}
	block("a", '0', 0);
	cr_assert_not_null(strstr(listing(), "-1 "));
}

Test(tar, long_names_of_gnu)
{
	char name[300];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	block("././@LongLink", 'L', sizeof(name));
	data(name);
	block("short", '0', 0);
	used += 1024;
	cr_assert_eq(strncmp(listing(), name, sizeof(name) - 1), 0);
}

Test(tar, wrong_checksum_ends_it_and_the_rest_can_be_read)
{
	struct stream_mem in;
	struct tar_entry e;
	struct tar *t;
	const uint8_t *p;
	size_t n;

	block("a", '0', 0);
	block("b", '0', 4);
	image[used - 500] ^= 1;
	data("gone");
	stream_mem_init(&in, image, used);
	t = tar_open(&in.s);
	cr_assert_eq(tar_next(t, &e), 1);
	cr_assert_eq(tar_next(t, &e), -1);
	cr_assert_eq(tar_next(t, &e), -1);
	cr_assert_eq(stream_next(tar_rest(t), &p, &n), 1);
	cr_assert_eq(memcmp(p, "gone", 4), 0);
	tar_close(t);
}

Test(tar, sizes_that_are_no_numbers)
{
	block("a", '0', 0);
	memcpy(image + 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	cr_assert_eq(strncmp(listing(), "-1 ", 3), 0);
}

struct path_case {
	char name[32], link[32], want[32];
};

ParameterizedTestParameters(tar, paths_never_leave_the_root)
{
	static struct path_case c[] = {
		{"a/b",             "",              "a/b"       },
		{ "./a//b/.",       "",              "a/b"       },
		{ "/etc/passwd",    "",              "etc/passwd"},
		{ "../../x",        "",              "x"         },
		{ "a/../../x/y/..", "",              "x"         },
		{ "d/l",            "../e/f",        "e/f"       },
		{ "d/l",            "../../../../e", "e"         },
		{ "d/l",            "/abs",          "abs"       },
		{ "l",              "same",          "same"      },
		{ "..",             "",              ""          },
	};

	return cr_make_param_array(struct path_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct path_case *c, tar, paths_never_leave_the_root)
{
	char out[MEMBER_PATH_CAP];

	if (c->link[0] == '\0')
		member_path(c->name, out);
	else
		member_path_link(c->name, c->link, out);
	cr_assert_str_eq(out, c->want, "%s %s: %s", c->name, c->link, out);
}
