/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SPOTS_H
#define SCANNER_SPOTS_H
/*
 * spots - the parts of a text that rules have to be looked for in.
 *
 * The first of two passes: all bytes are looked through for triggers and long runs (see
 * rules/triggers.c); what is on the lines around one is a spot.  Whatever a rule can find
 * lies in spots, with its anchors, unless these have a trigger in them: such anchors are
 * found in this pass.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a spot is looked at for. */
enum spot_kind {
	SPOT_TEXT, /* rules with triggers that are texts */
	SPOT_RUN,  /* rules that a long run triggers */
	SPOT_KINDS
};

/* Bytes that an anchor is before its trigger, at most. */
#define SPOT_BEFORE ((size_t)12 * 1024)

struct hits;
struct literals_scratch;
struct scan_engine;
struct spots;
struct text;

/** spots_new(): NULL: out of memory. */
struct spots *spots_new(void);
void spots_free(struct spots *s);

/** spots_find(s, g, scratch, t, hits): those of the zone of ${t}; ${scratch} is of the
 * engine's triggers.  ${hits} are the anchors that were found with these. */
void spots_find(struct spots *s, const struct scan_engine *g,
                struct literals_scratch *scratch, const struct text *t,
                struct hits *hits);
/** spots_next(s, kind, next, from, to): the next one of a kind, in ascending order; they
 * do not touch.  ${*next} is 0 at first.  false: there are no more. */
bool spots_next(const struct spots *s, enum spot_kind kind, size_t *next, size_t *from,
                size_t *to);
/** spots_marks(s, kind, base, end): the same as marks of grains (see literals.h) of the
 * text from ${*base} to ${*end}. */
const uint64_t *spots_marks(const struct spots *s, enum spot_kind kind, size_t *base,
                            size_t *end);
/** spots_wide(s, at): is ${at} in a spot near a run for TRIGGER_WIDE_RUN? */
bool spots_wide(const struct spots *s, size_t at);

/** spots_run(s, from, to): may there be a run as TRIGGER_RUN asks for in bytes ${from} to
 * ${to} of the text?  Where that was not looked at, there may. */
bool spots_run(const struct spots *s, size_t from, size_t to);

/** spots_line(s, at, from, to): the line of ${at}, if both of its ends are near it in
 * what was looked through last.  false: they are not, or that is not known. */
bool spots_line(const struct spots *s, size_t at, size_t *from, size_t *to);

/** spots_lines(s, t, n): line feeds in the first ${n} bytes of the text that was looked
 * through last, which is ${t}; most are known without looking at it. */
size_t spots_lines(const struct spots *s, const struct text *t, size_t n);

#endif
