/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_H
#define CONFIG_H
/*
 * config - YAML configuration files, checked against one schema table per program.
 *
 * The result is a value tree in the arena: strings, integers (durations in milliseconds, sizes in
 * bytes), booleans, arrays, objects.  Every error names file, line and key:
 *   vaultd.yaml:12: listen.port: 'x' is not a number
 * Anchors, aliases, tags and several documents are refused.
 */
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "value.h"

enum config_type {
	CONFIG_STRING,
	CONFIG_INT,
	CONFIG_BOOL,
	CONFIG_DURATION, /* lib/duration.h; integer of milliseconds */
	CONFIG_SIZE,     /* 512, 64k, 1m, 2g; integer of bytes */
	CONFIG_MODE,     /* octal file mode such as 0400; integer */
	CONFIG_STRINGS,  /* a list of strings, or one string */
	CONFIG_OBJECT,   /* a mapping with the members of children */
	CONFIG_OBJECTS,  /* a list of such mappings */
	CONFIG_OFF_OR_OBJECT, /* false, or a mapping: V_FALSE or an object */
};

struct config_key {
	const char *name; /* NULL ends the table */
	enum config_type type;
	bool required;
	int64_t min, max; /* bounds of the numeric types; both 0: none */
	const struct config_key *children;
};

struct config {
	struct value *root; /* object; empty when the file does not exist */
	const char *file;   /* name for messages */
	struct config_mark *marks;
};

/** config_load(a, path, must_exist, keys, out, e): read and check ${path}. A missing file is an empty configuration unless ${must_exist}. */
int config_load(struct arena *a, const char *path, bool must_exist, const struct config_key *keys,
                struct config *out, struct err *e) MUST_CHECK;

/** config_parse(a, name, text, n, keys, out, e): the same from memory; ${name} is for messages. */
int config_parse(struct arena *a, const char *name, const char *text, size_t n,
                 const struct config_key *keys, struct config *out, struct err *e) MUST_CHECK;

/** config_line(c, v): the line that ${v} (a value of c->root's tree) stands on, from 1; 0 if unknown. */
unsigned config_line(const struct config *c, const struct value *v);

/** config_fail(c, v, key, e, fmt, ...): ERR_INVALID "file:line: key: text" for a rule that the table cannot express. */
int config_fail(const struct config *c, const struct value *v, const char *key, struct err *e,
                const char *fmt, ...) PRINTF(5, 6);

#endif
