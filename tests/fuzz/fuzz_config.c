/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config - YAML configuration with every type of key.  A refusal names the file and
 * changes nothing; what is accepted can be read to its end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
	const char *path;
	mode_t mode;
};

struct conf {
	const char *text;
	int64_t number, duration, size;
	bool flag;
	int choice;
	struct config_list names, items;
	struct item one;
};

static const char *const choices[] = { "red", "green", NULL };
/* clang-format off */
static const struct config_key item_keys[] = {
	{ "path", CONFIG_STRING, offsetof(struct item, path), .flags = CONFIG_REQUIRED },
	{ "mode", CONFIG_MODE, offsetof(struct item, mode), .flags = 0 },
};
static const struct config_schema item_schema = CONFIG_SCHEMA(struct item, item_keys);
static const struct config_key keys[] = {
	{ "text", CONFIG_STRING, offsetof(struct conf, text), .flags = 0 },
	{ "number", CONFIG_INT, offsetof(struct conf, number), .min = -5, .max = 100 },
	{ "duration", CONFIG_DURATION, offsetof(struct conf, duration), .flags = 0 },
	{ "size", CONFIG_SIZE, offsetof(struct conf, size), .flags = 0 },
	{ "flag", CONFIG_BOOL, offsetof(struct conf, flag), .flags = 0 },
	{ "choice", CONFIG_CHOICE, offsetof(struct conf, choice), .choices = choices },
	{ "names", CONFIG_STRINGS, offsetof(struct conf, names), .flags = 0 },
	{ "items", CONFIG_OBJECTS, offsetof(struct conf, items), .sub = &item_schema },
	{ "one", CONFIG_OBJECT, offsetof(struct conf, one), .sub = &item_schema },
};
/* clang-format on */
static const struct config_schema schema = CONFIG_SCHEMA(struct conf, keys);

static size_t read_all(const struct conf *c)
{
	const char **names = c->names.items;
	const struct item *items = c->items.items;
	size_t n = c->text != NULL ? strlen(c->text) : 0;

	for (size_t i = 0; i < c->names.n; i++)
		n += strlen(names[i]);
	for (size_t i = 0; i < c->items.n; i++)
		n += strlen(items[i].path);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(16u << 20);
	struct conf c, before;
	struct err e = { ERR_OK, "" };

	memset(&c, 0, sizeof(c));
	before = c;
	if (config_parse(a, "f.yaml", (const char *)data, size, &schema, &c, &e) !=
	    ERR_OK) {
		if (memcmp(&before, &c, sizeof(c)) != 0 ||
		    memcmp(e.msg, "f.yaml:", 7) != 0)
			abort();
	} else if (read_all(&c) > size || c.number > 100 || c.choice > 1) {
		abort();
	}
	arena_free(a);
	return 0;
}
