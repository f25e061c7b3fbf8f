/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CALL_H
#define CLI_CALL_H
/*
 * call - commands that are one request: the path and the body come from arguments and
 * flags, what is printed from the reply.
 *
 * A path template names arguments by number and flags by name: "auth/{mount}/role/{1}".
 * Every other flag that was given becomes a member of the body, dashes made underscores;
 * lists are written with commas, as the server understands them.
 */
#include "cli.h"

enum call_print {
	PRINT_NONE,
	PRINT_DATA, /* "data" as pairs; "auth" or "wrap_info" where the reply has them */
	PRINT_KEYS, /* data.keys, one a line */
};

/** call_path(c, template, out, cap, e): fill a template in; a flag that was not given
 * takes its default there: "{mount=approle}". */
int call_path(struct cli *c, const char *template, char *out, size_t cap, struct err *e)
	MUST_CHECK;

/** call_body(c, template): the flags that the template does not name, as an object (the
 * caller json_decref()s it); --yes is none of them. */
json_t *call_body(struct cli *c, const char *template);

/** call_run(c, method, template, body, print, e): path from the template, the body as
 * given (borrowed; NULL: none), the reply printed. */
int call_run(struct cli *c, const char *method, const char *template, json_t *body,
             enum call_print print, struct err *e) MUST_CHECK;

/** call_show(c, doc, print): print a reply. */
void call_show(struct cli *c, json_t *doc, enum call_print print);

struct call_row {
	const char *verb, *method, *template;
	enum call_print print;
	bool body;           /* flags make a body */
	const char *confirm; /* question to answer first, or NULL */
};
/** call_table(c, rows, n, e): run the row whose verb is the command's. */
int call_table(struct cli *c, const struct call_row *rows, size_t n, struct err *e)
	MUST_CHECK;

#endif
