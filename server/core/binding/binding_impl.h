/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_BINDING_IMPL_H
#define SERVER_CORE_BINDING_IMPL_H
/* binding_impl - members of a definition by tables, of files and of what goes into the
 * services of a Swarm. */
#include "binding.h"

enum member_type {
	MEMBER_TEXT,
	MEMBER_LINES, /* text with line feeds and tabs */
	MEMBER_TEXTS, /* array of texts; one text is one item */
	MEMBER_BOOL,
	MEMBER_TIME,
	MEMBER_MODE, /* octal digits, at most 0777 */
	MEMBER_CHOICE,
	MEMBER_INT,
};

struct member {
	const char *name;
	enum member_type type;
	int64_t min, max;           /* TIME: ms; TEXTS: items; INT */
	const char *const *choices; /* CHOICE: NULL-terminated */
	/* TEXT and each of TEXTS: what is wrong, or NULL. */
	const char *(*check)(const char *s);
};

#define BINDING_TEXT_MAX  4096u
#define BINDING_LINES_MAX (64u * 1024)

/** binding_member(t, in, m, where, out, e): the member ${m} of ${in}, if it is there, in
 * its one form into ${out}; ${where} stands before its name in a message. */
int binding_member(struct binding_take *t, const struct value *in, const struct member *m,
                   const char *where, struct value *out, struct err *e) MUST_CHECK;
/** binding_files(t, in, e): "files" of ${in} into t->spec. */
int binding_files(struct binding_take *t, const struct value *in, struct err *e)
	MUST_CHECK;

/* Checks for struct member. */
const char *binding_bad_name(const char *s);
const char *binding_bad_user(const char *s);

#endif
