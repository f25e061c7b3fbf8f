/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_H
#define CONFIG_H
/*
 * config - YAML configuration, read into a C struct that one table per program describes.
 *
 *   static const struct config_key keys[] = {
 *     { "listen", CONFIG_STRING, offsetof(struct conf, listen), .check = is_address },
 *     { "drain", CONFIG_DURATION, offsetof(struct conf, drain_ms), .max = 60000 },
 *     { "files", CONFIG_OBJECTS, offsetof(struct conf, files), .sub = &file_schema },
 *   };
 *   static const struct config_schema schema = CONFIG_SCHEMA(struct conf, keys);
 *
 * The caller fills the struct with defaults; what the file does not name stays as it is.
 * Unknown and repeated keys, anchors, aliases, tags, merge keys and further documents are
 * errors.  Every message reads `vaultd.yaml:12: tls.cert: what is wrong`; the text of a
 * value is quoted in it, so no key may hold a secret: it names a file that does.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"
#include "err.h"

enum config_type {
	CONFIG_STRING, /* const char *: NUL-terminated, in the arena, no control bytes */
	CONFIG_INT,    /* int64_t */
	CONFIG_BOOL,   /* bool: true/false, yes/no, on/off */
	CONFIG_DURATION, /* int64_t in ms: "90s", "1h30m", "30d"; digits are seconds */
	CONFIG_SIZE,     /* int64_t in bytes: "64KiB", "1MiB", "2GiB"; digits are bytes */
	CONFIG_MODE,     /* mode_t: octal digits, at most 07777 */
	CONFIG_CHOICE,   /* int: index in choices */
	CONFIG_STRINGS,  /* struct config_list of const char *; one scalar is one item */
	CONFIG_OBJECT,   /* the sub-schema's struct, in place */
	CONFIG_OBJECTS,  /* struct config_list of the sub-schema's struct */
};

/* Items are contiguous and in the arena: `const char **s = conf.pins.items;`. */
struct config_list {
	void *items;
	size_t n;
};

#define CONFIG_REQUIRED   1u /* the mapping must name this key */
#define CONFIG_LINES      2u /* STRING: may have line feeds and tabs, and be long */
#define CONFIG_LIST_MAX   1000u
#define CONFIG_STRING_MAX 4096u
#define CONFIG_LINES_MAX  (64u * 1024) /* with CONFIG_LINES */

struct config_schema;

struct config_key {
	const char *name;
	enum config_type type;
	size_t offset;
	unsigned flags;
	/* INT, DURATION (ms), SIZE: allowed range; max = 0 is no upper limit. */
	int64_t min, max;
	const char *const *choices;      /* CHOICE: NULL-terminated */
	const struct config_schema *sub; /* OBJECT, OBJECTS */
	/* STRING and each of STRINGS: refuse with a message such as `not an address:
	 * "x"`, which follows file, line and key. */
	int (*check)(const char *text, struct err *e);
};

struct config_schema {
	const struct config_key *keys;
	size_t n;
	size_t size;          /* of the struct */
	const void *defaults; /* what an item of OBJECTS starts as; NULL is zeroes */
	/* Called when a mapping is complete, for rules about more than one key,
	 * or NULL. */
	int (*finish)(void *object, struct err *e);
	/* OBJECT: a scalar where the mapping could be ("tls: false"), or NULL to refuse
	 * one. */
	int (*scalar)(void *object, const char *text, int line, struct err *e);
};

/* clang-format off */
#define CONFIG_SCHEMA(type, table) \
	{ (table), ARRAY_LEN(table), sizeof(type), NULL, NULL, NULL }
/* clang-format on */

/**
 * config_load(a, path, schema, out, found, e): read ${path} into ${out}, which changes
 * only on ERR_OK.  A missing file leaves the defaults and says so in ${found}; with
 * ${found} NULL it is ERR_NOENT.  Anything else that is wrong is ERR_USAGE.
 */
int config_load(struct arena *a, const char *path, const struct config_schema *schema,
                void *out, bool *found, struct err *e) MUST_CHECK;

/** config_parse(a, name, text, n, schema, out, e): the same for text; ${name} is for
 * messages. */
int config_parse(struct arena *a, const char *name, const char *text, size_t n,
                 const struct config_schema *schema, void *out, struct err *e) MUST_CHECK;

#endif
