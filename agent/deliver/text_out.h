/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_TEXT_OUT_H
#define AGENT_DELIVER_TEXT_OUT_H
/*
 * text_out - text that grows in an arena, and JSON written into it.
 *
 * Failure is the arena's: ask arena_failed() once at the end.
 */
#include "arena.h"
#include "value.h"

struct text_out {
	struct arena *a;
	char *p;
	size_t n, cap;
};

/** text_out_add(t, p, n): append bytes. */
void text_out_add(struct text_out *t, const char *p, size_t n);
/** text_out_str(t, s): append a string. */
void text_out_str(struct text_out *t, const char *s);
/** text_out_json(t, v): append ${v} as JSON without blanks, the keys of objects sorted by
 * their bytes; 0, or -1 if it holds bytes that are no text. */
int text_out_json(struct text_out *t, const struct value *v) MUST_CHECK;

/** text_out_sorted(a, object): its members in the order of their keys, object->len of
 * them; NULL if the arena refuses. */
const struct value **text_out_sorted(struct arena *a, const struct value *object);

#endif
