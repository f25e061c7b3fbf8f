/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTEXT_H
#define CONTEXT_H
/*
 * context - what stands around a value: boundaries, keywords, tags that allow it, the
 * kind of its file.  Pure; thread safe.
 */
#include <stdbool.h>
#include <stddef.h>

#include "rules/rule.h"

/* A value in the text around it. */
struct place {
	const char *text; /* what is known of the surroundings; several lines */
	size_t text_n;
	size_t at, n;     /* the value */
	size_t from, to;  /* the line that the value begins in, without its end */
	const char *path; /* "" if unknown */
};

/** context_place(text, n, at, value_n, path, out): finds the line. */
void context_place(const char *text, size_t n, size_t at, size_t value_n,
                   struct place *out);

/** context_after_escape(text, at): does an escape sequence for a terminal, as for a
 * colour (ECMA-48, 5.4), end before ${at}? */
bool context_after_escape(const char *text, size_t at);
/** context_whole(p, charset): is the value no part of a longer run of its class of
 * characters? */
bool context_whole(const struct place *p, enum charset charset);

/** context_allowed(p, id): does a tag on the line or the one before allow rule ${id}? */
bool context_allowed(const struct place *p, const char *id);

/** context_near(p, word, within, lines): is ${word}, in lower case, at most ${within}
 * bytes away on the line, or on one of ${lines} lines before or after it?  Words of up to
 * three letters have to stand alone. */
bool context_near(const struct place *p, const char *word, size_t within, unsigned lines);

/** context_hash(p): the line or the file is one of digests: lock files, integrity
 * attributes, image data. */
bool context_hash(const struct place *p);

/** context_config(p): the line is an assignment of a configuration file: it begins with
 * the name and ends with the value. */
bool context_config(const struct place *p);

/** context_env(p): the same in the style of the environment: DB_PASSWORD=word. */
bool context_env(const struct place *p);

/** context_prose(p): documentation, a test or a translation, where words that stand for
 * passwords are no secrets. */
bool context_prose(const struct place *p);

/** context_test(p): a file of a test suite, where keys are test vectors. */
bool context_test(const struct place *p);

/** context_local(p): the line names a host that is this machine or an example. */
bool context_local(const struct place *p);

/** context_data_file(p): a file of settings by its name. */
bool context_data_file(const struct place *p);

/** context_compared(p): the value is compared with, not assigned. */
bool context_compared(const struct place *p);

/** context_listed(p): what follows makes it one of a list of options (,uid=1000) or the
 * end of a connection string (;"), no statement's. */
bool context_listed(const struct place *p);

/** context_quoted(p): the value is in quotes. */
bool context_quoted(const struct place *p);
#endif
