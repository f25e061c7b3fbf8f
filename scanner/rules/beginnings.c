/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beginnings - what the matches of a regular expression begin with.
 *
 * An expression that can only match where one of a few texts begins need not be searched
 * for: it is tried there.  Of each part we know the texts that it may begin with, and of
 * each of these, whether that is all of it, so that what follows it can be appended.
 *
 * Nor need it be tried where the first byte that is not of a word ("key =", "key("), or
 * not of prose, is none that may come first.  These are supersets: what is not understood
 * may be anything.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rules/musts.h"
#include "rules/opening.h"
#include "rules/rules.h"
#include "rules/stretch.h"
#include "rules/syntax.h"

#define HEADS_MAX 96u
#define HEAD_MAX  8u /* bytes: more would not be much rarer */
#define FORK_MAX  6u /* bytes of a head that several may follow */
#define CLASS_MAX 4u /* characters of a class that are taken one by one */
#define DEPTH_MAX 16u
#define LEAST     3u /* bytes; two if a run follows them, of */
#define LEAST_RUN 8u
#define DIGITS    UINT64_C(0x03ff000000000000) /* of bytes up to 63 */
#define CAPITALS  UINT64_C(0x07fffffe)         /* of those from 64 on */

struct head {
	char text[HEAD_MAX]; /* zeros behind it */
	unsigned n;
	bool all; /* of the part: what follows comes next */
};

/* None of them: the part can begin with anything. */
struct heads {
	struct head v[HEADS_MAX];
	unsigned n;
};

/* Bytes that are skipped: of a word, or of prose. */
enum { OF_WORD, OF_PROSE, KINDS };

/* Of a part: its heads; which bytes can be the first that is not skipped; and can it be
 * without such a byte? */
struct part {
	struct heads heads;
	struct bytes first[KINDS];
	bool through[KINDS];
	struct stretch stretch[RULE_SETS];
	struct musts musts;
	struct opening_part opening;
};

struct walk {
	const char *at;
	unsigned depth;
	bool any_case;
	struct run class; /* what was read last, if it was a class */
	struct run run;   /* the longest that is in each match */
	bool several;     /* it is one of several */
	bool leading;     /* nothing that takes a byte was read before */
	bool at_line;     /* a match may begin with '^' */
	bool feed;        /* what was read may take a line feed */
	struct run next;  /* what follows each head … */
	bool next_known;  /* … once it is known, or known not to be */
};

static void set_byte(struct bytes *b, unsigned c)
{
	b->w[c / 64] |= UINT64_C(1) << c % 64;
}

static void unite(struct bytes *a, const struct bytes *b)
{
	for (unsigned i = 0; i < 4; i++)
		a->w[i] |= b->w[i];
}

const struct bytes rule_word = {
	{0x03ff600000000000, 0x07fffffe87fffffe, 0, 0}
};

const struct bytes rule_prose = {
	{0x03ff608500000200, 0x07ffffff97fffffe, 0, 0}
};

const struct bytes rule_set_of[RULE_SETS] = {
	[RULE_ALNUM] = { { 0x03ff000000000000, 0x07fffffe07fffffe, 0, 0 } },
	[RULE_URL] = { { 0x03ff200000000000, 0x07fffffe87fffffe, 0, 0 } },
	[RULE_BASE64] = { { 0x03ff880000000000, 0x07fffffe07fffffe, 0, 0 } },
};

static const struct bytes *const skipped[KINDS] = { &rule_word, &rule_prose };

static const struct bytes all_bytes = {
	{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}
};

static void anything(struct heads *h)
{
	h->n = 1;
	h->v[0] = (struct head){ .all = false };
}

static void nothing(struct heads *h)
{
	h->n = 1;
	h->v[0] = (struct head){ .all = true };
}

static void add(struct heads *h, const struct head *x)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->v[i].n == x->n && memcmp(h->v[i].text, x->text, HEAD_MAX) == 0) {
			h->v[i].all &= x->all;
			return;
		}
	if (h->n == HEADS_MAX)
		anything(h);
	else if (h->n != 1 || h->v[0].n > 0 || h->v[0].all)
		h->v[h->n++] = *x;
}

static bool growing(const struct heads *h)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->v[i].all && h->v[i].n < HEAD_MAX)
			return true;
	return false;
}

static void stop(struct heads *h)
{
	for (unsigned i = 0; i < h->n; i++)
		h->v[i].all = false;
}

/* h := h then next, where h is all of what comes before. */
static void append(struct heads *h, const struct heads *next)
{
	struct heads out = { .n = 0 };

	for (unsigned i = 0; i < h->n; i++) {
		if (!h->v[i].all || (h->v[i].n >= FORK_MAX && next->n > 1)) {
			struct head x = h->v[i];

			x.all = false;
			add(&out, &x);
			continue;
		}
		for (unsigned k = 0; k < next->n; k++) {
			struct head x = h->v[i];
			unsigned some = next->v[k].n < HEAD_MAX - x.n ? next->v[k].n
			                                              : HEAD_MAX - x.n;

			if (out.n == HEADS_MAX) {
				stop(h); /* as far as it was known */
				return;
			}
			memcpy(x.text + x.n, next->v[k].text, some);
			x.n += some;
			x.all = next->v[k].all && some == next->v[k].n;
			add(&out, &x);
		}
	}
	*h = out;
}

static void choice(struct walk *w, struct part *out);

/* --- parts of one byte -----------------------------------------------------------------
 */

static char folded(const struct walk *w, unsigned c)
{
	return (char)(w->any_case ? tolower((int)c) : (int)c);
}

/* Whether it is a digit or a capital, as stretch_byte() wants to know it. */
static unsigned mixed(const struct walk *w, const struct bytes *of)
{
	const uint64_t capitals = w->any_case ? 0 : of->w[1] & CAPITALS;
	const bool others = (of->w[0] & ~DIGITS) != 0 || of->w[1] != capitals;

	if ((of->w[0] & DIGITS) == 0 && capitals == 0)
		return 0;
	return others ? 1 : STRETCH_MIXED;
}

static void stretch_one(const struct walk *w, struct part *out, const struct bytes *of)
{
	for (unsigned k = 0; k < RULE_SETS; k++)
		out->stretch[k] = stretch_byte(of, &rule_set_of[k], mixed(w, of));
}

static void literal(struct walk *w, unsigned char c, struct part *out)
{
	struct bytes only = { { 0 } };

	set_byte(&only, c);
	w->feed |= c == '\n';
	stretch_one(w, out, &only);
	out->musts = musts_byte(&only);
	out->opening = opening_byte(&only);
	for (unsigned k = 0; k < KINDS; k++) {
		out->first[k] = (struct bytes){ { 0 } };
		out->through[k] = rule_has_byte(skipped[k], c);
		if (!out->through[k])
			set_byte(&out->first[k], c);
	}
	out->heads.n = 1;
	out->heads.v[0] = (struct head){ .all = true, .n = 1 };
	out->heads.v[0].text[0] = folded(w, c);
}

/* One of ${set}. */
static void one_of(struct walk *w, const struct bytes *set, struct part *out)
{
	unsigned n = 0;

	w->feed |= rule_has_byte(set, '\n');
	stretch_one(w, out, set);
	out->musts = musts_byte(set);
	out->opening = opening_byte(set);
	out->heads.n = 0;
	for (unsigned i = 0; i < 4; i++)
		n += (unsigned)__builtin_popcountll(set->w[i]);
	for (unsigned k = 0; k < KINDS; k++) {
		out->through[k] = false;
		for (unsigned i = 0; i < 4; i++) {
			out->through[k] |= (set->w[i] & skipped[k]->w[i]) != 0;
			out->first[k].w[i] = set->w[i] & ~skipped[k]->w[i];
		}
	}
	if (n == 0 || n > CLASS_MAX) {
		anything(&out->heads);
		return;
	}
	for (unsigned c = 0; c < 256; c++)
		if (rule_has_byte(set, (unsigned char)c)) {
			struct head x = { .all = true, .n = 1 };

			x.text[0] = folded(w, c);
			add(&out->heads, &x);
		}
}

static void empty(struct part *out)
{
	for (unsigned k = 0; k < RULE_SETS; k++)
		out->stretch[k] = stretch_nothing();
	out->musts = (struct musts){ 0 };
	out->opening = opening_nothing();
	for (unsigned k = 0; k < KINDS; k++) {
		out->first[k] = (struct bytes){ { 0 } };
		out->through[k] = true;
	}
	nothing(&out->heads);
}

static void class(struct walk *w, struct part *out)
{
	w->at = syntax_class(w->at, &w->class.of);
	one_of(w, &w->class.of, out);
}

static void not_understood(struct part *out)
{
	out->through[OF_WORD] = out->through[OF_PROSE] = true;
	out->opening = opening_unknown();
}

static void escape(struct walk *w, struct part *out)
{
	struct bytes set = { { 0 } };
	char c = w->at[1];

	w->at += c != '\0' ? 2 : 1;
	if (c == 'b' || c == 'B' || c == 'A') {
		empty(out);
	} else {
		syntax_escaped((unsigned char)c, &set);
		one_of(w, &set, out);
		/* Neither \x41 nor \Q…\E are understood. */
		if (!ispunct((unsigned char)c) && strchr("nrtfvsSdDwW", c) == NULL)
			not_understood(out);
	}
}

/* --- groups and repetition
 * --------------------------------------------------------------
 */

static void group(struct walk *w, struct part *out)
{
	const struct run before = w->run;
	const bool fed = w->feed;
	bool flags = false, asserts = false, named = false, ahead;

	w->at++;
	ahead = w->at[0] == '?' && w->at[1] == '=';
	w->feed = false;
	if (*w->at == '?') {
		w->at++;
		named = w->at[0] == '<' && w->at[1] != '=' && w->at[1] != '!';
		asserts = *w->at == '=' || *w->at == '!' || *w->at == '<';
		while (*w->at != '\0' && strchr("imsxUJ-", *w->at) != NULL) {
			w->at++;
			flags = true;
		}
		flags = flags && *w->at == ')';
		w->at += *w->at == ':' || ahead;
	}
	if (flags)
		empty(out);
	else
		choice(w, out);
	if (asserts) {
		w->run = before;
		for (unsigned k = 0; k < RULE_SETS; k++)
			out->stretch[k] = stretch_nothing();
		/* What follows on the line has it, if the look ahead ends there. */
		if (!ahead || w->feed)
			out->musts = (struct musts){ 0 };
		out->opening = named ? opening_unknown() : opening_nothing();
		/* What looks around takes no byte; what has a name does. */
		for (unsigned k = 0; k < KINDS; k++) {
			out->first[k] = named ? all_bytes : (struct bytes){ { 0 } };
			out->through[k] = true;
		}
		anything(&out->heads);
	}
	w->feed |= fed;
	w->at += *w->at == ')';
}

static void atom(struct walk *w, struct part *out)
{
	switch (*w->at) {
	case '(':
		group(w, out);
		break;
	case '[':
		class(w, out);
		break;
	case '\\':
		escape(w, out);
		break;
	case '^':
	case '$':
		empty(out);
		/* What begins with it is told apart: nothing else does so. */
		if (*w->at == '^' && w->leading) {
			w->at_line = true;
			out->opening = opening_byte(&(struct bytes){ { 0 } });
		}
		w->at++;
		break;
	case '.':
		w->at++;
		one_of(w, &all_bytes, out);
		break;
	default:
		literal(w, (unsigned char)*w->at++, out);
	}
}

/* The numbers of a quantifier in braces; ${most} is 2 for more. */
static void braces(struct walk *w, unsigned *least, unsigned *most)
{
	char *end;
	unsigned long upper;

	*least = (unsigned)strtoul(w->at + 1, &end, 10);
	upper = *end == ',' ? (end[1] == '}' ? 2 : strtoul(end + 1, &end, 10)) : *least;
	*most = upper > 2 ? 2 : (unsigned)upper;
	w->at = strchr(end, '}') != NULL ? strchr(end, '}') + 1 : end + strlen(end);
}

static void quantified(struct walk *w, struct part *out)
{
	const struct head none = { .all = true };
	const bool is_class = *w->at == '[';
	const struct run before = w->run;
	unsigned least = 1, most = 1;

	atom(w, out);
	w->class.n = is_class ? 1 : 0;
	if (*w->at == '?') {
		least = 0;
		w->at++;
	} else if (*w->at == '*' || *w->at == '+') {
		least = *w->at == '+';
		most = 2;
		w->at++;
	} else if (syntax_is_count(w->at)) {
		braces(w, &least, &most);
		w->class.n = is_class ? least : 0;
		if (w->class.n > w->run.n)
			w->run = w->class;
	} else {
		return;
	}
	w->at += *w->at == '?' || *w->at == '+';
	for (unsigned k = 0; k < RULE_SETS; k++)
		out->stretch[k] = stretch_times(&out->stretch[k], least);
	if (most > 1) {
		stop(&out->heads);
		out->opening = opening_again(&out->opening);
	}
	if (least == 0) {
		add(&out->heads, &none);
		out->musts = (struct musts){ 0 };
		out->opening.empty = true;
		out->through[OF_WORD] = out->through[OF_PROSE] = true;
		w->run = before;
		w->class.n = 0;
	}
}

static bool all_whole(const struct heads *h)
{
	for (unsigned i = 0; i < h->n; i++)
		if (!h->v[i].all)
			return false;
	return true;
}

/* Of the outermost sequence: heads that ${next} will not make longer end before it. */
static void note_next(struct walk *w, const struct heads *h, const struct part *next)
{
	if (w->depth > 1 || w->next_known)
		return;
	w->next_known = !all_whole(h) || !all_whole(&next->heads);
	if (w->next_known && all_whole(h) && next->heads.v[0].n == 0)
		w->next = w->class;
}

static void sequence(struct walk *w, struct part *out)
{
	const bool leading = w->leading;
	struct part next;

	empty(out);
	while (*w->at != '\0' && *w->at != '|' && *w->at != ')') {
		quantified(w, &next);
		note_next(w, &out->heads, &next);
		if (growing(&out->heads))
			append(&out->heads, &next.heads);
		else
			stop(&out->heads);
		for (unsigned k = 0; k < RULE_SETS; k++)
			out->stretch[k] = stretch_then(&out->stretch[k],
			                               &next.stretch[k]);
		out->musts = musts_then(&out->musts, &next.musts);
		out->opening = opening_then(&out->opening, &next.opening);
		w->leading = leading && opening_is_nothing(&out->opening);
		for (unsigned k = 0; k < KINDS; k++) {
			if (out->through[k])
				unite(&out->first[k], &next.first[k]);
			out->through[k] &= next.through[k];
		}
	}
}

static void choice(struct walk *w, struct part *out)
{
	const struct run before = w->run;
	const bool leading = w->leading;
	struct part next;

	if (++w->depth > DEPTH_MAX) {
		w->at += strlen(w->at);
		empty(out);
		anything(&out->heads);
		for (unsigned k = 0; k < RULE_SETS; k++)
			out->stretch[k] = stretch_unknown();
		out->opening = opening_unknown();
		return;
	}
	sequence(w, out);
	while (*w->at == '|') {
		w->run = before;
		w->next.n = w->depth > 1 ? w->next.n : 0;
		w->next_known |= w->depth == 1;
		w->several |= w->depth == 1;
		w->at++;
		w->leading = leading;
		sequence(w, &next);
		for (unsigned i = 0; i < next.heads.n; i++)
			add(&out->heads, &next.heads.v[i]);
		for (unsigned k = 0; k < RULE_SETS; k++)
			out->stretch[k] = stretch_or(&out->stretch[k], &next.stretch[k]);
		out->musts = musts_or(&out->musts, &next.musts);
		out->opening = opening_or(&out->opening, &next.opening);
		for (unsigned k = 0; k < KINDS; k++) {
			unite(&out->first[k], &next.first[k]);
			out->through[k] |= next.through[k];
		}
		w->run = before;
	}
	w->depth--;
}

/* Is ${x} one of several that begin alike, and not the shortest? */
static bool covered(const struct heads *h, const struct head *x)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->v[i].n < x->n && memcmp(h->v[i].text, x->text, h->v[i].n) == 0)
			return true;
	return false;
}

/* Of letters, both cases. */
static void any_case(struct bytes *b)
{
	const uint64_t letters = b->w[1] & 0x07fffffe07fffffe;

	b->w[1] |= letters << 32 | letters >> 32;
}

bool rule_any_case(const char *regex)
{
	for (const char *p = regex; (p = strstr(p, "(?")) != NULL;) {
		p += 2;
		if (memchr(p, 'i', strspn(p, "imsxUJn")) != NULL)
			return true;
	}
	return false;
}

/* After flags, is there nothing but the beginning of a line? */
static bool begins_line(const char *regex)
{
	if (strncmp(regex, "(?", 2) == 0) {
		const size_t flags = strspn(regex + 2, "ims");

		regex += regex[2 + flags] == ')' ? 2 + flags + 1 : 0;
	}
	return regex[0] == '^' && strchr("?*+{", regex[1]) == NULL;
}

static int put_heads(const struct heads *h, struct lead *out)
{
	const unsigned least = out->next.n >= LEAST_RUN ? LEAST - 1 : LEAST;

	for (unsigned i = 0; i < h->n; i++)
		if (h->v[i].n < least)
			return 0;
	for (unsigned i = 0; i < h->n; i++) {
		if (covered(h, &h->v[i]))
			out->next = (struct run){ .n = 0 };
		else if (texts_add(&out->begin, h->v[i].text, h->v[i].n) != 0)
			return -1;
	}
	return 0;
}

int rule_lead(const char *regex, struct lead *out)
{
	struct walk w = { .at = regex,
		          .any_case = rule_any_case(regex),
		          .leading = true };
	struct part p;

	choice(&w, &p);
	if (w.depth > 0) { /* it was not read to its end */
		*out = (struct lead){ .after_word = all_bytes, .after_prose = all_bytes };
		return 0;
	}
	*out = (struct lead){
		.next = w.next,
		.run = w.run,
		.after_word = p.through[OF_WORD] ? all_bytes : p.first[OF_WORD],
		.after_prose = p.through[OF_PROSE] ? all_bytes : p.first[OF_PROSE],
		.opening = opening_of(&p.opening, w.at_line),
		.musts = p.musts,
		.at_line = begins_line(regex) && !w.several,
	};
	for (unsigned k = 0; k < RULE_SETS; k++) {
		out->stretch[k] = p.stretch[k].longest;
		out->token[k] = p.stretch[k].token;
	}
	if (w.any_case) {
		any_case(&out->run.of);
		any_case(&out->next.of);
		any_case(&out->opening.one);
		any_case(&out->opening.two);
	}
	return put_heads(&p.heads, out);
}
