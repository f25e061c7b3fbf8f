/* SPDX-License-Identifier: Apache-2.0 */
/* generate_mix - drawing texts from sets of characters, and counting what there is. */
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "rng.h"

#define TRIES (16 * 8192)
/* States times kinds of characters times length that generate_mix_share() may go through:
 * about three milliseconds. */
#define STEPS_MAX  2000000u
#define STATES_MAX 65536u

int generate_mix_add(struct generate_mix *m, const uint32_t *chars, size_t n, size_t min,
                     struct err *e)
{
	if (m->n_sets == GENERATE_SETS_MAX)
		return err_set(e, ERR_INVALID, "more than %u rules", GENERATE_SETS_MAX);
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;

		while (at < m->n && m->chars[at] != chars[i])
			at++;
		if (at == GENERATE_CHARS_MAX)
			return err_set(e, ERR_INVALID,
			               "charset is too long: limited to %u characters",
			               GENERATE_CHARS_MAX);
		if (at == m->n) {
			m->chars[m->n] = chars[i];
			m->sets[m->n++] = 0;
		}
		m->sets[at] = (uint16_t)(m->sets[at] | 1u << m->n_sets);
	}
	m->min[m->n_sets++] = min;
	return ERR_OK;
}

/* --- drawing ---------------------------------------------------------------------- */

/* Random bytes, some at a time. */
struct bytes {
	unsigned char b[64];
	size_t left;
};

static unsigned next_byte(struct bytes *s)
{
	if (s->left == 0) {
		rng_bytes(s->b, sizeof(s->b));
		s->left = sizeof(s->b);
	}
	return s->b[--s->left];
}

static void draw(const struct generate_mix *m, struct bytes *s, unsigned char *picks)
{
	const unsigned n = (unsigned)m->n, limit = 256 - 256 % n;

	for (size_t i = 0; i < m->length; i++) {
		unsigned b;

		do
			b = next_byte(s);
		while (b >= limit);
		picks[i] = (unsigned char)(b % n);
	}
}

static bool fits(const struct generate_mix *m, const unsigned char *picks)
{
	size_t seen[GENERATE_SETS_MAX] = { 0 };

	for (size_t i = 0; i < m->length; i++)
		for (unsigned in = m->sets[picks[i]]; in != 0; in &= in - 1)
			seen[__builtin_ctz(in)]++;
	for (size_t i = 0; i < m->n_sets; i++)
		if (seen[i] < m->min[i])
			return false;
	return true;
}

int generate_mix_text(const struct generate_mix *m, uint32_t *out, struct err *e)
{
	unsigned char picks[GENERATE_LENGTH_MAX];
	struct bytes s = { .left = 0 };
	bool found = false;

	if (m->n == 0 || m->length == 0 || m->length > GENERATE_LENGTH_MAX)
		return err_set(e, ERR_INVALID, "no characters to choose from");
	for (int try = 0; try < TRIES && !found; try++) {
		draw(m, &s, picks);
		found = fits(m, picks);
	}
	for (size_t i = 0; found && i < m->length; i++)
		out[i] = m->chars[picks[i]];
	sodium_memzero(picks, sizeof(picks));
	sodium_memzero(&s, sizeof(s));
	if (!found)
		return err_set(e, ERR_INTERNAL,
		               "the source of randomness gives no usable text");
	return ERR_OK;
}

/* --- counting --------------------------------------------------------------------- */

/*
 * A text is read from left to right; its state is how many characters of each set it
 * still lacks.  States are numbers in mixed radix: digit i is 0 to min[i], weight[i] its
 * place.
 */
struct count {
	size_t weight[GENERATE_SETS_MAX];
	size_t states;
	size_t n_kinds; /* of characters: those in the same sets that demand something */
	uint16_t kind[GENERATE_CHARS_MAX];
	double share[GENERATE_CHARS_MAX]; /* of the alphabet */
	double *now, *then;               /* the share of texts in each state */
};

static void sort_kinds(const struct generate_mix *m, struct count *c)
{
	unsigned demands = 0;

	for (size_t i = 0; i < m->n_sets; i++)
		demands |= m->min[i] > 0 ? 1u << i : 0;
	for (size_t i = 0; i < m->n; i++) {
		uint16_t in = (uint16_t)(m->sets[i] & demands);
		size_t at = 0;

		while (at < c->n_kinds && c->kind[at] != in)
			at++;
		if (at == c->n_kinds) {
			c->kind[c->n_kinds] = in;
			c->share[c->n_kinds++] = 0;
		}
		c->share[at] += 1.0 / (double)m->n;
	}
}

static int number_states(const struct generate_mix *m, struct count *c, struct err *e)
{
	c->states = 1;
	for (size_t i = 0; i < m->n_sets; i++) {
		c->weight[i] = c->states;
		if ((c->states *= m->min[i] + 1) > STATES_MAX)
			break;
	}
	if (c->states > STATES_MAX || c->states * c->n_kinds * m->length > STEPS_MAX)
		return err_set(e, ERR_INVALID,
		               "the rules demand too much to be weighed up");
	return ERR_OK;
}

/* The state behind a character of a kind. */
static size_t after(const struct generate_mix *m, const struct count *c, size_t state,
                    unsigned kind)
{
	for (; kind != 0; kind &= kind - 1) {
		int i = __builtin_ctz(kind);

		if (state / c->weight[i] % (m->min[i] + 1) > 0)
			state -= c->weight[i];
	}
	return state;
}

static void read_one(const struct generate_mix *m, struct count *c)
{
	double *swap = c->now;

	memset(c->then, 0, c->states * sizeof(double));
	for (size_t s = 0; s < c->states; s++)
		for (size_t k = 0; c->now[s] > 0 && k < c->n_kinds; k++)
			c->then[after(m, c, s, c->kind[k])] += c->now[s] * c->share[k];
	c->now = c->then;
	c->then = swap;
}

static bool hopeless(const struct generate_mix *m)
{
	for (size_t i = 0; i < m->n_sets; i++)
		if (m->min[i] > m->length)
			return true;
	return m->n == 0;
}

int generate_mix_share(const struct generate_mix *m, double *share, struct err *e)
{
	struct count c = { 0 };
	int rc;

	if (hopeless(m)) {
		*share = 0;
		return ERR_OK;
	}
	sort_kinds(m, &c);
	if ((rc = number_states(m, &c, e)) != ERR_OK)
		return rc;
	c.now = calloc(c.states, sizeof(double));
	c.then = calloc(c.states, sizeof(double));
	if (c.now == NULL || c.then == NULL) {
		rc = err_set(e, ERR_NOMEM, "out of memory");
	} else {
		c.now[c.states - 1] = 1; /* it lacks all */
		for (size_t i = 0; i < m->length; i++)
			read_one(m, &c);
		*share = c.now[0];
	}
	free(c.now);
	free(c.then);
	return rc;
}
