/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "config_impl.h"
#include "duration.h"
#include "text.h"

#define KEY_MAX 32u /* longer names get no suggestion */

void config_quote(const char *text, size_t n, char out[CONFIG_QUOTE_MAX])
{
	size_t room = CONFIG_QUOTE_MAX - 6; /* two quotes, "…" and NUL */
	size_t len = n;

	if (!text_printable(text, n)) {
		(void)snprintf(out, CONFIG_QUOTE_MAX, "(text that is not printable)");
		return;
	}
	if (n > room)
		for (len = room; ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
	(void)snprintf(out, CONFIG_QUOTE_MAX, "\"%.*s%s\"", (int)len, text,
	               len < n ? "\xe2\x80\xa6" : "");
}

static int refuse(struct err *e, const char *what, const char *text, size_t n)
{
	char quoted[CONFIG_QUOTE_MAX];

	config_quote(text, n, quoted);
	return err_set(e, ERR_USAGE, "%s: %s", what, quoted);
}

static bool is(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(text, word, n) == 0;
}

/* All ${n} bytes as digits of ${base}; false if there are none, others, or too many. */
static bool digits(const char *text, size_t n, int base, int64_t *out)
{
	int64_t v = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		int digit = text[i] - '0';

		if (digit < 0 || digit >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*out = v;
	return true;
}

static bool to_int(const char *text, size_t n, int64_t *out)
{
	bool negative = n > 0 && text[0] == '-';

	if (!digits(text + (negative ? 1 : 0), n - (negative ? 1 : 0), 10, out))
		return false;
	*out = negative ? -*out : *out;
	return true;
}

static bool to_size(const char *text, size_t n, int64_t *out)
{
	static const struct {
		const char *name;
		int64_t bytes;
	} units[] = {
		{"KiB",  INT64_C(1) << 10},
		{ "MiB", INT64_C(1) << 20},
		{ "GiB", INT64_C(1) << 30},
		{ "TiB", INT64_C(1) << 40},
		{ "B",   1               },
	};
	int64_t unit = 1, v;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t len = strlen(units[i].name);

		if (n > len && memcmp(text + n - len, units[i].name, len) == 0) {
			unit = units[i].bytes;
			n -= len;
			break;
		}
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	return digits(text, n, 10, &v) && !__builtin_mul_overflow(v, unit, out);
}

static bool to_bool(const char *text, size_t n, bool *out)
{
	*out = is(text, n, "true") || is(text, n, "yes") || is(text, n, "on");
	return *out || is(text, n, "false") || is(text, n, "no") || is(text, n, "off");
}

static void show(const struct config_key *k, int64_t v, char out[DURATION_TEXT_MAX])
{
	if (k->type == CONFIG_DURATION)
		duration_format(v, out);
	else
		(void)snprintf(out, DURATION_TEXT_MAX, "%lld", (long long)v);
}

static int in_range(const struct config_key *k, int64_t v, int64_t *field, struct err *e)
{
	char min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];

	show(k, k->min, min);
	show(k, k->max, max);
	if (v < k->min)
		return err_set(e, ERR_USAGE, "must be at least %s", min);
	if (k->max != 0 && v > k->max)
		return err_set(e, ERR_USAGE, "must be at most %s", max);
	*field = v;
	return ERR_OK;
}

static int set_number(const struct config_key *k, const char *text, size_t n,
                      int64_t *field, struct err *e)
{
	int64_t v = 0;

	if (k->type == CONFIG_INT && !to_int(text, n, &v))
		return refuse(e, "not a whole number", text, n);
	if (k->type == CONFIG_SIZE && !to_size(text, n, &v))
		return refuse(e, "not a size (such as 64KiB or 1MiB)", text, n);
	if (k->type == CONFIG_DURATION &&
	    (n == 0 || duration_parse(text, n, &v, NULL) != ERR_OK))
		return refuse(e, "not a duration (such as 90s, 1h30m or 30d)", text, n);
	return in_range(k, v, field, e);
}

static int set_mode(const char *text, size_t n, mode_t *field, struct err *e)
{
	int64_t v;

	if (!digits(text, n, 8, &v) || v > 07777)
		return refuse(e, "not a mode (such as 0440)", text, n);
	*field = (mode_t)v;
	return ERR_OK;
}

static int set_choice(const struct config_key *k, const char *text, size_t n, int *field,
                      struct err *e)
{
	char what[160] = "must be one of";

	for (int i = 0; k->choices[i] != NULL; i++) {
		size_t at = strlen(what);

		if (is(text, n, k->choices[i])) {
			*field = i;
			return ERR_OK;
		}
		(void)snprintf(what + at, sizeof(what) - at, "%s %s", i > 0 ? "," : "",
		               k->choices[i]);
	}
	return refuse(e, what, text, n);
}

static int set_string(struct arena *a, const struct config_key *k, const char *text,
                      size_t n, const char **field, struct err *e)
{
	unsigned most = (k->flags & CONFIG_LINES) != 0 ? CONFIG_LINES_MAX
	                                               : CONFIG_STRING_MAX;
	char *copy;
	int rc;

	if (n > most)
		return err_set(e, ERR_USAGE, "longer than %u bytes", most);
	if ((k->flags & CONFIG_LINES) != 0 ? !text_lines(text, n)
	                                   : !text_printable(text, n))
		return err_set(e, ERR_USAGE, "holds control characters");
	copy = arena_dup(a, text, n);
	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (k->check != NULL && (rc = k->check(copy, e)) != ERR_OK)
		return rc;
	*field = copy;
	return ERR_OK;
}

int config_scalar(struct arena *a, const struct config_key *k, const char *text, size_t n,
                  void *field, struct err *e)
{
	switch (k->type) {
	case CONFIG_STRING:
	case CONFIG_STRINGS:
		return set_string(a, k, text, n, field, e);
	case CONFIG_BOOL:
		return to_bool(text, n, field)
		               ? ERR_OK
		               : refuse(e, "neither true nor false", text, n);
	case CONFIG_MODE:
		return set_mode(text, n, field, e);
	case CONFIG_CHOICE:
		return set_choice(k, text, n, field, e);
	case CONFIG_INT:
	case CONFIG_SIZE:
	case CONFIG_DURATION:
		return set_number(k, text, n, field, e);
	case CONFIG_OBJECT:
	case CONFIG_OBJECTS:
		break;
	}
	return refuse(e, "a mapping is needed", text, n);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance; both are at most KEY_MAX bytes. */
static size_t distance(const char *x, const char *y)
{
	size_t row[KEY_MAX + 1];
	size_t nx = strlen(x), ny = strlen(y);

	for (size_t j = 0; j <= ny; j++)
		row[j] = j;
	for (size_t i = 1; i <= nx; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= ny; j++) {
			size_t above = row[j];

			row[j] = least(least(above, row[j - 1]) + 1,
			               diagonal + (x[i - 1] != y[j - 1]));
			diagonal = above;
		}
	}
	return row[ny];
}

const char *config_suggest(const struct config_schema *schema, const char *name)
{
	const char *best = NULL;
	size_t best_distance = 3;

	if (strlen(name) > KEY_MAX)
		return NULL;
	for (size_t i = 0; i < schema->n; i++) {
		const char *key = schema->keys[i].name;
		size_t d = strlen(key) <= KEY_MAX ? distance(name, key) : best_distance;

		if (d < best_distance && d < strlen(key)) {
			best = key;
			best_distance = d;
		}
	}
	return best;
}
