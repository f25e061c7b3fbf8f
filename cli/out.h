/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OUT_H
#define CLI_OUT_H
/*
 * out - what commands print on stdout: tables for people, JSON for machines.  Control
 * characters in anything that came from a server are shown escaped.
 */
#include <stdio.h>

#include "cli.h"

/** out_json(c, v): pretty-printed document and a newline. */
void out_json(struct cli *c, const json_t *v);

/** out_text(s): one line, escaped. out_raw(s, n): bytes as they are (a value that was
 * asked for). */
void out_text(const char *s);
void out_raw(const char *s, size_t n);
/** out_field(v): one value that was asked for: text as it is, else as JSON or a list; a
 * newline on a terminal alone. */
void out_field(const json_t *v);
/** out_line(f, v): compact JSON in ASCII and a newline; -1 if it cannot be written. */
int out_line(FILE *f, const json_t *v) MUST_CHECK;

/** out_pairs(object, keys): "Key   Value" lines of the named members (all if NULL), in
 * that order. */
void out_pairs(const json_t *object, const char *const *keys);

struct column {
	const char *title;
	const char *member; /* of each row object */
};
/** out_table(rows, columns, n): rows is an array of objects; missing members show as "-".
 */
void out_table(const json_t *rows, const struct column *columns, size_t n);

/** out_rows(doc, key): the keys and key_info of a reply to LIST as rows for out_table():
 * the member ${key} of each is its key; owned by the caller. */
json_t *out_rows(const json_t *doc, const char *key);

/** out_scalar(v, buf, cap): a value as one escaped cell; returns buf. */
const char *out_scalar(const json_t *v, char *buf, size_t cap);

/** out_masked(c): should secret values be hidden (a terminal, and no --reveal)? */
bool out_masked(const struct cli *c);
/** out_mask(data): hide the values of an object. */
void out_mask(json_t *data);

/** say(fmt, ...): a line of talk on stderr. */
void say(const char *fmt, ...) PRINTF(1, 2);

#endif
