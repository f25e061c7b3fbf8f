/* SPDX-License-Identifier: Apache-2.0 */
/* What the Engine sends piece by piece, cut at every place. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/docker/stream.h"
#include "util.h"

static char got[4096];

static void setup(void)
{
	got[0] = '\0';
}

TestSuite(docker_stream, .init = setup, .timeout = 60);

/* "<object>", and "!" for one that was left out. */
static void take(void *ctx UNUSED, const char *text, size_t n)
{
	size_t at = strlen(got);

	if (text == NULL)
		snprintf(got + at, sizeof(got) - at, "!");
	else
		snprintf(got + at, sizeof(got) - at, "<%.*s>", (int)n, text);
}

struct split_case {
	char name[24], stream[160], want[160];
	unsigned level;
	size_t max;
};

/* clang-format off */
static const struct split_case split_cases[] = {
	{ "sequence",       "{\"a\":1}\n{\"b\":{}}",        "<{\"a\":1}><{\"b\":{}}>", 0, 99 },
	{ "no blanks",      "{}{}{}",                       "<{}><{}><{}>",            0, 99 },
	{ "blanks",         " \r\n\t{ } \n",                "<{ }>",                   0, 99 },
	{ "braces in text", "{\"}{\":\"]\\\"}{\"}{}",       "<{\"}{\":\"]\\\"}{\"}><{}>", 0, 99 },
	{ "escapes",        "{\"\\\\\":\"\\\\\\\"}\"}",     "<{\"\\\\\":\"\\\\\\\"}\"}>", 0, 99 },
	{ "too long",       "{\"aaaaaaaa\":1}{\"b\":2}",    "!<{\"b\":2}>",            0, 8 },
	{ "just fits",      "{\"b\":22}{\"b\":222}",        "<{\"b\":22}>!",           0, 8 },
	{ "unfinished",     "{\"a\":[1,2",                  "",                        0, 99 },
	{ "list",           "[{\"a\":1},{\"b\":[{}]}]",     "<{\"a\":1}><{\"b\":[{}]}>", 1, 99 },
	{ "empty list",     "[]",                           "",                        1, 99 },
	{ "not a list",     "{\"message\":\"x\"}",          "",                        1, 99 },
	{ "list of more",   "[1,\"{}\",null,{},[{}]]",      "<{}>",                    1, 99 },
	{ "closed too often", "]}]}{}",                     "<{}>",                    0, 99 },
};
/* clang-format on */

/* In two pieces or, with cut 0, byte by byte. */
static void feed(struct json_split *s, const char *p, size_t n, size_t cut)
{
	for (size_t i = 0; cut == 0 && i < n; i++)
		json_split_feed(s, p + i, 1, take, NULL);
	if (cut > 0) {
		json_split_feed(s, p, cut, take, NULL);
		json_split_feed(s, p + cut, n - cut, take, NULL);
	}
}

static void check(const struct split_case *c, size_t cut)
{
	struct json_split s = { .max = c->max, .level = c->level };

	setup();
	feed(&s, c->stream, strlen(c->stream), cut);
	json_split_free(&s);
	cr_assert(strcmp(got, c->want) == 0, "%s, cut at %zu: %s", c->name, cut, got);
}

Test(docker_stream, objects_are_found_wherever_the_stream_is_cut)
{
	for (size_t i = 0; i < ARRAY_LEN(split_cases); i++)
		for (size_t cut = 0; cut <= strlen(split_cases[i].stream); cut++)
			check(&split_cases[i], cut);
}

Test(docker_stream, an_object_without_end_takes_no_more_memory_than_it_may)
{
	struct json_split s = { .max = 1000 };

	json_split_feed(&s, "{\"", 2, take, NULL);
	for (size_t i = 0; i < 100000; i++) {
		json_split_feed(&s, "xxxxxxxxxxxxxxxx", 16, take, NULL);
		cr_assert_leq(s.cap, 2000);
	}
	json_split_feed(&s, "\"}{}", 4, take, NULL);
	cr_assert_str_eq(got, "!<{}>");
	json_split_free(&s);
}

/* "ab" on stdout, "c" on stderr, nothing, "de" */
static const char frames[] = "\1\0\0\0\0\0\0\2ab\2\0\0\0\0\0\0\1c\1\0\0\0\0\0\0\0"
			     "\1\0\0\0\0\0\0\2de";

Test(docker_stream, output_is_put_together_wherever_it_is_cut)
{
	for (size_t cut = 0; cut < sizeof(frames); cut++) {
		struct demux d = { .max = 100 };

		cr_assert(demux_feed(&d, frames, cut));
		cr_assert(demux_feed(&d, frames + cut, sizeof(frames) - 1 - cut));
		cr_assert_str_eq(d.p, "abcde", "cut at %zu", cut);
		cr_assert_not(d.cut);
		demux_free(&d);
	}
}

Test(docker_stream, output_is_bounded)
{
	struct demux d = { .max = 3 };

	cr_assert(demux_feed(&d, frames, sizeof(frames) - 1));
	cr_assert_str_eq(d.p, "abc");
	cr_assert_eq(d.n, 3);
	cr_assert(d.cut);
	demux_free(&d);
	cr_assert_eq(d.max, 3);
}

Test(docker_stream, what_is_no_such_output_is_refused)
{
	static const char *const bad[] = { "\3\0\0\0\0\0\0\1", "\1\1\0\0\0\0\0\1",
		                           "\1\0\0\1\0\0\0\1", "HTTP/1.1" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct demux d = { .max = 3 };

		cr_assert_not(demux_feed(&d, bad[i], 8), "%zu", i);
		demux_free(&d);
	}
}
