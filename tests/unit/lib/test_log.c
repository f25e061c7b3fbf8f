/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "text.h"

TestSuite(log, .timeout = 30);

static int capture_fd = -1, saved_stderr = -1;
static char captured[65536];

static void capture(void)
{
	capture_fd = memfd_create("log", 0);
	saved_stderr = dup(STDERR_FILENO);
	cr_assert(capture_fd >= 0 && saved_stderr >= 0);
	dup2(capture_fd, STDERR_FILENO);
}

static const char *release(void)
{
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	n = pread(capture_fd, captured, sizeof(captured) - 1, 0);
	cr_assert_geq(n, 0);
	captured[n] = '\0';
	close(capture_fd);
	close(saved_stderr);
	return captured;
}

/* The captured line without its time, which must be one. */
static const char *after_time(const char *line)
{
	const char *space = strchr(line, ' ');

	cr_assert_not_null(space);
	cr_assert_eq(clock_parse_rfc3339(line, (size_t)(space - line), &(int64_t){ 0 }),
	             0, "%s", line);
	return space + 1;
}

static json_t *parse(const char *line)
{
	json_error_t je;
	json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, &je);

	cr_assert_not_null(j, "%s: %s", je.text, line);
	cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line: %s", line);
	return j;
}

static void text_is(const char *value, const char *want)
{
	log_init("net", false);
	capture();
	log_warn("it happened", LOG_S("k", value));
	release();
	cr_expect_str_eq(after_time(captured), want);
}

Test(log, text_lines)
{
	text_is("plain", "warn net: it happened k=plain\n");
	text_is("127.0.0.1:8200", "warn net: it happened k=127.0.0.1:8200\n");
	text_is("", "warn net: it happened k=\"\"\n");
	text_is(NULL, "warn net: it happened k=\"\"\n");
	text_is("two words", "warn net: it happened k=\"two words\"\n");
	text_is("a=b", "warn net: it happened k=\"a=b\"\n");
	text_is("say \"hi\"", "warn net: it happened k=\"say \\\"hi\\\"\"\n");
	text_is("back\\slash", "warn net: it happened k=\"back\\\\slash\"\n");
	text_is("caf\xc3\xa9", "warn net: it happened k=caf\xc3\xa9\n");
}

/* Nothing from outside starts a line or speaks to the terminal. */
Test(log, text_lines_are_safe_to_show)
{
	text_is("x\nwarn net: forged",
	        "warn net: it happened k=\"x\\x0awarn net: forged\"\n");
	text_is("\x1b[2J", "warn net: it happened k=\"\\x1b[2J\"\n");
	text_is("\xc2\x9b", "warn net: it happened k=\"\\xc2\\x9b\"\n");
	text_is("\xff\x80ok", "warn net: it happened k=\"\\xff\\x80ok\"\n");
	text_is("\xe2\x82", "warn net: it happened k=\"\\xe2\\x82\"\n");
	text_is("\x7f\t\r", "warn net: it happened k=\"\\x7f\\x09\\x0d\"\n");
}

static void json_is(const char *value, const char *want)
{
	json_t *j;

	log_init("core", true);
	capture();
	log_error("it \"happened\"", LOG_S("k", value), LOG_N("n", -5));
	release();
	j = parse(captured);
	cr_expect_str_eq(json_string_value(json_object_get(j, "k")), want);
	cr_expect_str_eq(json_string_value(json_object_get(j, "event")),
	                 "it \"happened\"");
	cr_expect_str_eq(json_string_value(json_object_get(j, "level")), "error");
	cr_expect_str_eq(json_string_value(json_object_get(j, "name")), "core");
	cr_expect_eq(json_integer_value(json_object_get(j, "n")), -5);
	cr_expect_not_null(json_object_get(j, "time"));
	json_decref(j);
}

Test(log, json_lines)
{
	json_is("plain", "plain");
	json_is("", "");
	json_is("\"},{\"x\":\"", "\"},{\"x\":\"");
	json_is("a\\b", "a\\b");
	json_is("x\ny", "x\\x0ay");
	json_is("\xff", "\\xff");
	json_is("caf\xc3\xa9", "caf\xc3\xa9");
	json_is("\xc2\x85", "\\xc2\\x85");
}

static const char *lines_at(const char *level)
{
	log_init("x", false);
	cr_assert_eq(log_set_level(level), 0);
	capture();
	log_error("e", LOG_N("n", 1));
	log_warn("w", LOG_N("n", 1));
	log_info("i", LOG_N("n", 1));
	log_debug("d", LOG_N("n", 1));
	return release();
}

static size_t count(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

Test(log, levels)
{
	cr_assert_eq(count(lines_at("error")), 1);
	cr_assert_eq(count(lines_at("warn")), 2);
	cr_assert_eq(count(lines_at("info")), 3);
	cr_assert_eq(count(lines_at("debug")), 4);
	cr_assert_eq(log_set_level("INFO"), -1);
	cr_assert_eq(log_set_level(""), -1);
	cr_assert_eq(log_set_level("verbose"), -1);
	log_init("x", false);
	capture();
	log_debug("d", LOG_N("n", 1));
	log_info("i", LOG_N("n", 1));
	cr_assert_eq(count(release()), 1, "info is where it starts");
}

/* However long the parts are, a line ends and stays well-formed. */
Test(log, over_long_lines_are_cut_between_characters)
{
	static char big[20000];

	for (size_t n = 3900; n < 4200; n++) {
		json_t *j;

		for (size_t i = 0; i + 3 <= n; i += 3)
			memcpy(big + i, "\xe2\x82\xac", 4);
		log_init("x", true);
		capture();
		log_info("start", LOG_S("first", "1"), LOG_S("big", big),
		         LOG_S("last", "2"));
		log_info(big, LOG_S("first", "1"));
		release();
		cr_assert_eq(count(captured), 2);
		*(strchr(captured, '\n') + 1) = '\0';
		j = parse(captured);
		cr_assert_not_null(json_object_get(j, "first"));
		/* "last" is there only behind "big": no field is left out unseen. */
		cr_assert_eq(json_object_get(j, "last") == NULL,
		             json_is_true(json_object_get(j, "cut")), "%zu", n);
		cr_assert(json_object_get(j, "last") == NULL ||
		          json_object_get(j, "big") != NULL);
		json_decref(j);
	}
}

Test(log, an_over_long_event_is_still_json)
{
	static char big[20000];

	memset(big, '\n', sizeof(big) - 1);
	log_init("x", true);
	capture();
	log_info(big, LOG_S("k", big));
	release();
	json_decref(parse(captured));
	log_init("x", false);
	capture();
	log_info(big, LOG_S("k", big));
	release();
	cr_assert_eq(count(captured), 1);
	cr_assert(text_utf8_ok(captured, strlen(captured)));
}

Test(log, errno_is_left_alone)
{
	log_init("x", false);
	capture();
	errno = ENOTDIR;
	log_info("e", LOG_N("n", 1));
	cr_assert_eq(errno, ENOTDIR);
	release();
}
