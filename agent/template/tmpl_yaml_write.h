/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_YAML_WRITE_H
#define AGENT_TEMPLATE_TMPL_YAML_WRITE_H
/* tmpl_yaml_write - the scalars of YAML, and where they stand. */
#include "tmpl_run.h"

#define YAML_INDENT 2

struct yaml_writer {
	struct tmpl_buf b;
	size_t column;
	bool whitespace; /* there is room before what comes */
	bool indention;  /* nothing but space and '-' in this line so far */
};

/* Where a value stands. */
struct yaml_place {
	int indent; /* -1: at the root */
	bool in_map;
	bool is_key; /* on one line, before a ':' */
};

/** yaml_indent(w, to): go to column ${to}, of this line or of the next. */
void yaml_indent(struct yaml_writer *w, int to);
/** yaml_indicator(w, s, spaced, is_space, is_indention): what structures the text;
 * ${spaced}: it wants space before it, ${is_space}: it is as good as space itself. */
void yaml_indicator(struct yaml_writer *w, const char *s, bool spaced, bool is_space,
                    bool is_indention);

/** yaml_is_multiline(s): does it have line breaks of any kind? */
bool yaml_is_multiline(struct tmpl_str s);

/** Scalars.  yaml_put_number(): a number of a secret is an int if it can be one, else a
 * float, else its text. */
void yaml_put_string(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s);
void yaml_put_word(struct yaml_writer *w, struct yaml_place at, const char *s);
void yaml_put_float(struct yaml_writer *w, struct yaml_place at, double f);
void yaml_put_number(struct yaml_writer *w, struct yaml_place at, struct tmpl_str s);

#endif
