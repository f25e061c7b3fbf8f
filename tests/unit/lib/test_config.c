/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "vault/limits.h"

struct file_conf {
	const char *path;
	const char *dest;
	mode_t mode;
};

struct tls_conf {
	const char *cert;
	bool off;
	int line;
};

struct conf {
	const char *listen;
	int64_t workers, drain_ms, body_max;
	bool strict;
	int level;
	struct config_list pins, files;
	struct tls_conf tls;
};

static int check_addr(const char *text, struct err *e)
{
	if (strchr(text, ':') != NULL)
		return ERR_OK;
	return err_set(e, ERR_INVALID, "not an address: \"%s\"", text);
}

static int tls_scalar(void *object, const char *text, int line, struct err *e)
{
	struct tls_conf *t = object;

	if (strcmp(text, "false") != 0)
		return err_set(e, ERR_INVALID, "neither false nor a mapping");
	t->off = true;
	t->line = line;
	return ERR_OK;
}

static int file_finish(void *object, struct err *e)
{
	const struct file_conf *f = object;

	return f->mode == 0777 ? err_set(e, ERR_INVALID, "open to all") : ERR_OK;
}

static const struct config_key file_keys[] = {
	{"path",  CONFIG_STRING, offsetof(struct file_conf, path),
         .flags = CONFIG_REQUIRED					    },
	{ "dest", CONFIG_STRING, offsetof(struct file_conf, dest), .flags = 0},
	{ "mode", CONFIG_MODE,   offsetof(struct file_conf, mode), .flags = 0},
};
static const struct file_conf file_defaults = { .dest = "/run", .mode = 0400 };
static const struct config_schema file_schema = { .keys = file_keys,
	                                          .n = ARRAY_LEN(file_keys),
	                                          .size = sizeof(struct file_conf),
	                                          .defaults = &file_defaults,
	                                          .finish = file_finish };
static const struct config_key tls_keys[] = {
	{"cert", CONFIG_STRING, offsetof(struct tls_conf, cert), .flags = 0},
};
static const struct config_schema tls_schema = { .keys = tls_keys,
	                                         .n = ARRAY_LEN(tls_keys),
	                                         .size = sizeof(struct tls_conf),
	                                         .scalar = tls_scalar };
static const char *const levels[] = { "error", "warn", "info", NULL };
/* clang-format off */
static const struct config_key keys[] = {
	{ "listen", CONFIG_STRING, offsetof(struct conf, listen), .check = check_addr },
	{ "workers", CONFIG_INT, offsetof(struct conf, workers), .min = 1, .max = 64 },
	{ "drain", CONFIG_DURATION, offsetof(struct conf, drain_ms), .max = 60000 },
	{ "body_max", CONFIG_SIZE, offsetof(struct conf, body_max), .min = 1024 },
	{ "strict", CONFIG_BOOL, offsetof(struct conf, strict), .flags = 0 },
	{ "level", CONFIG_CHOICE, offsetof(struct conf, level), .choices = levels },
	{ "pins", CONFIG_STRINGS, offsetof(struct conf, pins), .check = check_addr },
	{ "files", CONFIG_OBJECTS, offsetof(struct conf, files), .sub = &file_schema },
	{ "tls", CONFIG_OBJECT, offsetof(struct conf, tls), .sub = &tls_schema },
};
/* clang-format on */
static const struct config_schema schema = CONFIG_SCHEMA(struct conf, keys);

static struct arena *a;
static struct err e;
static struct conf c;

static void setup(void)
{
	a = arena_new(8u << 20);
	c = (struct conf){ .listen = "127.0.0.1:8200", .workers = 1, .drain_ms = 15000 };
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(config, .init = setup, .fini = teardown, .timeout = 60);

static int parse(const char *text)
{
	e.msg[0] = '\0';
	return config_parse(a, "vaultd.yaml", text, strlen(text), &schema, &c, &e);
}

Test(config, every_type_is_read)
{
	const char **pins;
	const struct file_conf *files;

	cr_assert_eq(parse("# a comment\n"
	                   "listen: \"[::1]:8200\"\n"
	                   "workers: 4\n"
	                   "drain: 1m\n"
	                   "body_max: 32MiB\n"
	                   "strict: yes\n"
	                   "level: warn\n"
	                   "pins:\n"
	                   "  - a:1\n"
	                   "  - 'b:2'\n"
	                   "files:\n"
	                   "  - path: secret/app\n"
	                   "    mode: 0440\n"
	                   "  - { path: secret/b, dest: /x }\n"
	                   "tls:\n"
	                   "  cert: /etc/cert.pem\n"),
	             ERR_OK, "%s", e.msg);
	cr_assert_str_eq(c.listen, "[::1]:8200");
	cr_assert(c.workers == 4 && c.drain_ms == 60000 && c.body_max == 32 << 20);
	cr_assert(c.strict && c.level == 1);
	pins = c.pins.items;
	cr_assert_eq(c.pins.n, 2);
	cr_assert_str_eq(pins[0], "a:1");
	cr_assert_str_eq(pins[1], "b:2");
	files = c.files.items;
	cr_assert_eq(c.files.n, 2);
	cr_assert_str_eq(files[0].path, "secret/app");
	cr_assert_str_eq(files[0].dest, "/run");
	cr_assert_eq(files[0].mode, 0440);
	cr_assert_str_eq(files[1].dest, "/x");
	cr_assert_eq(files[1].mode, 0400);
	cr_assert_str_eq(c.tls.cert, "/etc/cert.pem");
}

Test(config, what_is_not_named_keeps_its_default)
{
	static const char *const empty[] = { "",      "\n",       "# only a comment\n",
		                             "---\n", "--- {}\n", "~",
		                             "null" };

	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		cr_assert_eq(parse(empty[i]), ERR_OK, "'%s': %s", empty[i], e.msg);
		cr_assert_str_eq(c.listen, "127.0.0.1:8200");
	}
	cr_assert_eq(parse("workers: 2"), ERR_OK);
	cr_assert_eq(c.workers, 2);
	cr_assert_eq(c.drain_ms, 15000);
}

Test(config, short_forms)
{
	cr_assert_eq(parse("pins: a:1\nfiles:\ntls: false\n"), ERR_OK, "%s", e.msg);
	cr_assert_eq(c.pins.n, 1);
	cr_assert_str_eq(((const char **)c.pins.items)[0], "a:1");
	cr_assert_eq(c.files.n, 0);
	cr_assert(c.tls.off && c.tls.line == 3);
	cr_assert_eq(parse("pins: []\nstrict: off\nbody_max: 2 KiB\ndrain: 30\n"), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(c.pins.n, 0);
	cr_assert(!c.strict && c.body_max == 2048 && c.drain_ms == 30000);
}

struct bad_case {
	const char *text;
	const char *msg;
};

/* The messages without the file's name. */
/* clang-format off */
static const struct bad_case bad[] = {
	{ "\n\n\n\n\n\n\n\n\n\n\nlisten: x", "12: listen: not an address: \"x\"" },
	{ "listen: \"a\n  b\"", "1: listen: not an address: \"a b\"" },
	{ "lisen: x", "1: lisen: unknown key, did you mean 'listen'?" },
	{ "zzz: x", "1: zzz: unknown key" },
	{ "Listen: a:1", "1: Listen: unknown key, did you mean 'listen'?" },
	{ "\"a\\nb\": x", "1: (text that is not printable): unknown key" },
	{ "listen: a:1\nworkers: 1\nlisten: b:1", "3: listen: repeated key" },
	{ "listen:", "1: listen: no value" },
	{ "listen: ~", "1: listen: no value" },
	{ "listen: [a]", "1: listen: a single value is needed" },
	{ "listen: \"a:\\0\"", "1: listen: holds control characters" },
	{ "listen: \"a:\\x1b\"", "1: listen: holds control characters" },
	{ "workers: 0", "1: workers: must be at least 1" },
	{ "workers: 65", "1: workers: must be at most 64" },
	{ "workers: four", "1: workers: not a whole number: \"four\"" },
	{ "workers: 1.5", "1: workers: not a whole number: \"1.5\"" },
	{ "workers: 0x10", "1: workers: not a whole number: \"0x10\"" },
	{ "workers: \"\"", "1: workers: not a whole number: \"\"" },
	{ "workers: 99999999999999999999",
	  "1: workers: not a whole number: \"99999999999999999999\"" },
	{ "drain: 2m", "1: drain: must be at most 1m0s" },
	{ "drain: -1s", "1: drain: must be at least 0s" },
	{ "drain: soon",
	  "1: drain: not a duration (such as 90s, 1h30m or 30d): \"soon\"" },
	{ "drain: ''", "1: drain: not a duration (such as 90s, 1h30m or 30d): \"\"" },
	{ "body_max: 1MB", "1: body_max: not a size (such as 64KiB or 1MiB): \"1MB\"" },
	{ "body_max: MiB", "1: body_max: not a size (such as 64KiB or 1MiB): \"MiB\"" },
	{ "body_max: 9000000TiB",
	  "1: body_max: not a size (such as 64KiB or 1MiB): \"9000000TiB\"" },
	{ "body_max: 1", "1: body_max: must be at least 1024" },
	{ "strict: maybe", "1: strict: neither true nor false: \"maybe\"" },
	{ "level: loud", "1: level: must be one of error, warn, info: \"loud\"" },
	{ "pins:\n  - a:1\n  - b", "3: pins[1]: not an address: \"b\"" },
	{ "pins: {a: b}", "1: pins: a list is needed" },
	{ "pins: [[a:1]]", "1: pins[0]: a single value is needed" },
	{ "files: 3", "1: files: a list is needed" },
	{ "files:\n  - path", "2: files[0]: a mapping is needed" },
	{ "files:\n  - path: p\n  - mode: 0440", "3: files[1]: path is missing" },
	{ "files:\n  - path: p\n    mode: 0999",
	  "3: files[0].mode: not a mode (such as 0440): \"0999\"" },
	{ "files:\n  - path: p\n    mode: 10000",
	  "3: files[0].mode: not a mode (such as 0440): \"10000\"" },
	{ "files:\n  - path: p\n    mode: 0777", "2: files[0]: open to all" },
	{ "files:\n  - pth: p", "2: files[0].pth: unknown key, did you mean 'path'?" },
	{ "tls: true", "1: tls: neither false nor a mapping" },
	{ "tls:", "1: tls: a mapping is needed" },
	{ "tls: [x]", "1: tls: a mapping is needed" },
	{ "tls:\n  certt: x", "2: tls.certt: unknown key, did you mean 'cert'?" },
	{ "- a", "1: a mapping of keys is needed" },
	{ "text", "1: a mapping of keys is needed" },
	{ "? [a]\n: b", "1: a key must be a name" },
	{ "listen: &x a:1", "1: listen: anchors, aliases and tags are not supported" },
	{ "listen: *x", "1: listen: anchors, aliases and tags are not supported" },
	{ "listen: !!str a:1",
	  "1: listen: anchors, aliases and tags are not supported" },
	{ "pins: &x [a:1]", "1: pins: anchors, aliases and tags are not supported" },
	{ "<<: {a: b}", "1: <<: unknown key" },
	{ "listen: a:1\n---\nworkers: 2", "2: a second document" },
	{ "listen: a:1\n  workers: 2",
	  "2: mapping values are not allowed in this context" },
	{ "listen: \"a", "1: found unexpected end of stream" },
	{ "\tlisten: a", "1: found character that cannot start any token" },
	{ "listen: \xff", "1: invalid leading UTF-8 octet" },
};
/* clang-format on */

Test(config, every_error_names_file_line_and_key)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct conf before = c;

		cr_expect_eq(parse(bad[i].text), ERR_USAGE, "%s", bad[i].text);
		cr_expect_eq(e.code, ERR_USAGE);
		cr_expect_eq(memcmp(e.msg, "vaultd.yaml:", 12), 0, "%s", e.msg);
		cr_expect_str_eq(e.msg + 12, bad[i].msg);
		cr_expect_eq(memcmp(&before, &c, sizeof(c)), 0, "%s: changed",
		             bad[i].text);
	}
}

Test(config, a_long_value_is_quoted_in_part)
{
	char text[300] = "workers: ";

	memset(text + 9, 'x', 200);
	cr_assert_eq(parse(text), ERR_USAGE);
	cr_assert_lt(strlen(e.msg), 140, "%s", e.msg);
}

Test(config, lists_grow_up_to_their_limit)
{
	static char text[20000] = "pins:\n";
	size_t at = strlen(text);

	for (size_t i = 0; i < CONFIG_LIST_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " - p:%zu\n", i);
	cr_assert_eq(parse(text), ERR_OK, "%s", e.msg);
	cr_assert_eq(c.pins.n, CONFIG_LIST_MAX);
	for (size_t i = 0; i < c.pins.n; i++) {
		char want[32];

		snprintf(want, sizeof(want), "p:%zu", i);
		cr_assert_str_eq(((const char **)c.pins.items)[i], want);
	}
	snprintf(text + at, sizeof(text) - at, " - p:x\n");
	cr_assert_eq(parse(text), ERR_USAGE);
}

Test(config, sizes_are_bounded)
{
	static char text[LIMIT_CONFIG_FILE + 2];

	memset(text, '\n', sizeof(text) - 1);
	cr_assert_eq(config_parse(a, "f", text, LIMIT_CONFIG_FILE, &schema, &c, &e),
	             ERR_OK);
	cr_assert_eq(config_parse(a, "f", text, LIMIT_CONFIG_FILE + 1, &schema, &c, &e),
	             ERR_USAGE);
	memcpy(text, "listen: ", 8);
	memset(text + 8, 'x', CONFIG_STRING_MAX);
	text[9] = ':';
	cr_assert_eq(config_parse(a, "f", text, 8 + CONFIG_STRING_MAX, &schema, &c, &e),
	             ERR_OK);
	text[8 + CONFIG_STRING_MAX] = 'x';
	cr_assert_eq(config_parse(a, "f", text, 9 + CONFIG_STRING_MAX, &schema, &c, &e),
	             ERR_USAGE);
}

Test(config, files)
{
	char path[] = "/tmp/vault-config-XXXXXX";
	int fd = mkstemp(path);
	bool found = true;

	cr_assert_eq(config_load(a, "/nonexistent/vaultd.yaml", &schema, &c, &found, &e),
	             ERR_OK);
	cr_assert_not(found);
	cr_assert_eq(c.workers, 1);
	cr_assert_eq(config_load(a, "/nonexistent/vaultd.yaml", &schema, &c, NULL, &e),
	             ERR_NOENT);
	cr_assert_eq(config_load(a, "/tmp", &schema, &c, &found, &e), ERR_USAGE);
	cr_assert_eq(write(fd, "workers: 3\n", 11), 11);
	cr_assert_eq(config_load(a, path, &schema, &c, &found, &e), ERR_OK, "%s", e.msg);
	cr_assert(found && c.workers == 3);
	cr_assert_eq(write(fd, "x: 3\n", 5), 5);
	cr_assert_eq(config_load(a, path, &schema, &c, &found, &e), ERR_USAGE);
	cr_assert_eq(memcmp(e.msg, path, strlen(path)), 0, "%s", e.msg);
	close(fd);
	unlink(path);
}

/* Whatever is cut off, nothing crashes and a refusal changes nothing. */
Test(config, no_prefix_and_no_flipped_bit_does_harm)
{
	static const char text[] =
		"listen: \"a:1\"\nworkers: 4\npins: [b:1, c:2]\n"
		"files:\n  - path: p\n    mode: 0440\ntls: {cert: x}\n";
	char copy[sizeof(text)];

	for (size_t n = 0; n < sizeof(text); n++) {
		struct conf before = c;

		if (config_parse(a, "f", text, n, &schema, &c, &e) != ERR_OK)
			cr_assert_eq(memcmp(&before, &c, sizeof(c)), 0);
		teardown();
		setup();
	}
	for (size_t bit = 0; bit < 8 * (sizeof(text) - 1); bit++) {
		memcpy(copy, text, sizeof(text));
		copy[bit / 8] ^= (char)(1u << bit % 8);
		(void)!config_parse(a, "f", copy, sizeof(text) - 1, &schema, &c, &e);
		arena_reset(a);
	}
}
