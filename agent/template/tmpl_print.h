/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_PRINT_H
#define AGENT_TEMPLATE_TMPL_PRINT_H
/* tmpl_print - values as text, as Go's fmt writes them. */
#include "tmpl_run.h"

/* One verb of a format with its flags; ${width} and ${prec} -1: not given. */
struct tmpl_spec {
	uint32_t verb;
	bool plus, minus, sharp, space, zero;
	int width;
	int prec;
};

/** tmpl_show(b, v): as an action prints it. */
void tmpl_show(struct tmpl_buf *b, const struct tv *v);
/** tmpl_print(b, args, n, shown): all, with a space between two that are no strings;
 * ${shown}: nothing as an action shows it. */
void tmpl_print(struct tmpl_buf *b, const struct tv *args, size_t n, bool shown);
/** tmpl_format(b, spec, v): one value by one verb. */
void tmpl_format(struct tmpl_buf *b, const struct tmpl_spec *spec, const struct tv *v);
/** tmpl_sprintf(b, format, args, n) */
void tmpl_sprintf(struct tmpl_buf *b, struct tmpl_str format, const struct tv *args,
                  size_t n);

/** tmpl_pad_put(b, spec, p, n): text in the width of ${spec}. */
void tmpl_pad_put(struct tmpl_buf *b, const struct tmpl_spec *spec, const char *p,
                  size_t n);
/** tmpl_format_number(b, spec, v): ints and floats; false if the verb is none of theirs.
 */
bool tmpl_format_number(struct tmpl_buf *b, const struct tmpl_spec *spec,
                        const struct tv *v);

/** tmpl_put_rune(b, c), tmpl_quote(b, s, quote, ascii): a character; text in quotes as
 * Go's source has it, ${ascii}: with what is not escaped. */
void tmpl_put_rune(struct tmpl_buf *b, uint32_t c);
void tmpl_quote(struct tmpl_buf *b, struct tmpl_str s, char quote, bool ascii);

#endif
