/* SPDX-License-Identifier: Apache-2.0 */
#include "username_template.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "rng.h"
#include "text.h"

#define DEPTH_MAX  16 /* parentheses in parentheses */
#define ARGS_MAX   8
#define WORD_MAX   32u
#define RANDOM_MIN 8 /* digits of base62 that make a name one of its own: 47 bits */
#define TRIES      8
#define HASH_LEN   8u /* of what truncate_sha256 has cut off */

struct arg {
	const char *text; /* of a number, too */
	bool is_number;
	int64_t number;
};

struct reader {
	struct arena *a;
	const struct username_vars *vars;
	const char *p; /* what comes next */
	int depth;
	int64_t random; /* digits that were drawn */
	struct err *e;
};

static int invalid(struct reader *t, const char *why)
{
	return err_set(t->e, ERR_INVALID, "username_template: %s", why);
}

static int no_memory(struct reader *t)
{
	return err_set(t->e, ERR_NOMEM, "out of memory");
}

/* *out: ${text}, which may be NULL for want of memory. */
static int give(struct reader *t, struct arg *out, const char *text)
{
	if (text == NULL)
		return no_memory(t);
	if (strlen(text) > USERNAME_TEMPLATE_MAX)
		return invalid(t, "what it makes is too long");
	*out = (struct arg){ .text = text };
	return ERR_OK;
}

/* ---- functions ---- */

/* Arguments are as many as the table says, and of its kinds. */
typedef int function_fn(struct reader *t, const struct arg *arg, size_t n,
                        struct arg *out);

static int f_random(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	int64_t len = arg[0].number;
	char *s;

	(void)n;
	if (len < 1 || len > (int64_t)USERNAME_TEMPLATE_MAX)
		return invalid(t, "random: a length from 1 to 1024");
	if ((s = arena_alloc(t->a, (size_t)len + 1)) == NULL)
		return no_memory(t);
	text_base62_random(s, (size_t)len);
	t->random += len;
	return give(t, out, s);
}

static int f_truncate(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	size_t len = strlen(arg[1].text);

	(void)n;
	if (arg[0].number < 1)
		return invalid(t, "truncate: a length above 0");
	if ((int64_t)len > arg[0].number)
		len = (size_t)arg[0].number;
	return give(t, out, arena_dup(t->a, arg[1].text, len));
}

static const char *sha256(struct reader *t, const char *text)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char *hex = arena_alloc(t->a, 2 * sizeof(hash) + 1);

	crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
	if (hex != NULL)
		text_hex(hash, sizeof(hash), hex);
	return hex;
}

static int f_truncate_sha256(struct reader *t, const struct arg *arg, size_t n,
                             struct arg *out)
{
	size_t keep;
	const char *hash;

	(void)n;
	if (arg[0].number <= (int64_t)HASH_LEN)
		return invalid(t, "truncate_sha256: a length above 8");
	if ((int64_t)strlen(arg[1].text) <= arg[0].number)
		return give(t, out, arg[1].text);
	keep = (size_t)arg[0].number - HASH_LEN;
	if ((hash = sha256(t, arg[1].text + keep)) == NULL)
		return no_memory(t);
	return give(t, out,
	            arena_printf(t->a, "%.*s%.*s", (int)keep, arg[1].text, (int)HASH_LEN,
	                         hash));
}

static int change_case(struct reader *t, const char *text, char from, char to,
                       struct arg *out)
{
	char *s = arena_dup(t->a, text, strlen(text));

	for (char *p = s; p != NULL && *p != '\0'; p++)
		if (*p >= from && *p <= from + 25)
			*p = (char)(*p - from + to);
	return give(t, out, s);
}

static int f_uppercase(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	(void)n;
	return change_case(t, arg[0].text, 'a', 'A', out);
}

static int f_lowercase(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	(void)n;
	return change_case(t, arg[0].text, 'A', 'a', out);
}

/* Each "find" in the text becomes "with". */
static int f_replace(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	const char *find = arg[0].text, *with = arg[1].text, *from = arg[2].text, *at;
	const char *made = "";

	(void)n;
	if (find[0] == '\0')
		return invalid(t, "replace: what is to be replaced is empty");
	while (made != NULL && (at = strstr(from, find)) != NULL) {
		made = arena_printf(t->a, "%s%.*s%s", made, (int)(at - from), from, with);
		from = at + strlen(find);
		if (made != NULL && strlen(made) > USERNAME_TEMPLATE_MAX)
			return invalid(t, "what it makes is too long");
	}
	return give(t, out, made != NULL ? arena_printf(t->a, "%s%s", made, from) : NULL);
}

static int f_sha256(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	(void)n;
	return give(t, out, sha256(t, arg[0].text));
}

static int f_base64(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	size_t len = strlen(arg[0].text);
	char *s = arena_alloc(t->a, (len + 2) / 3 * 4 + 1);

	(void)n;
	if (s != NULL)
		text_base64(arg[0].text, len, s);
	return give(t, out, s);
}

static int f_unix_time(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	(void)arg;
	(void)n;
	return give(t, out, arena_printf(t->a, "%" PRId64, t->vars->now_ms / 1000));
}

static int f_unix_time_millis(struct reader *t, const struct arg *arg, size_t n,
                              struct arg *out)
{
	(void)arg;
	(void)n;
	return give(t, out, arena_printf(t->a, "%" PRId64, t->vars->now_ms));
}

static int f_uuid(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	char id[37];

	(void)arg;
	(void)n;
	rng_uuid4(id);
	t->random += RANDOM_MIN;
	return give(t, out, arena_str(t->a, id));
}

static int f_printf(struct reader *t, const struct arg *arg, size_t n, struct arg *out)
{
	const char *made = "", *p = arg[0].text;
	size_t used = 1;

	while (made != NULL && *p != '\0') {
		size_t plain = strcspn(p, "%");

		made = arena_printf(t->a, "%s%.*s", made, (int)plain, p);
		p += plain;
		if (*p == '\0' || made == NULL)
			break;
		if (p[1] != '%' && (p[1] == '\0' || strchr("sdv", p[1]) == NULL))
			return invalid(t, "printf: only %s, %d, %v and %% are known");
		if (p[1] != '%' && used == n)
			return invalid(t, "printf: too few values");
		made = arena_printf(t->a, "%s%s", made,
		                    p[1] == '%' ? "%" : arg[used].text);
		used += p[1] != '%';
		p += 2;
		if (made != NULL && strlen(made) > USERNAME_TEMPLATE_MAX)
			return invalid(t, "what it makes is too long");
	}
	if (used != n)
		return invalid(t, "printf: too many values");
	return give(t, out, made);
}

static const struct function {
	const char *name;
	const char *args; /* n: a number, s: a text; *: any more of them */
	function_fn *run;
} functions[] = {
	{"random",            "n",   f_random          },
	{ "truncate",         "ns",  f_truncate        },
	{ "truncate_sha256",  "ns",  f_truncate_sha256 },
	{ "uppercase",        "s",   f_uppercase       },
	{ "lowercase",        "s",   f_lowercase       },
	{ "replace",          "sss", f_replace         },
	{ "sha256",           "s",   f_sha256          },
	{ "base64",           "s",   f_base64          },
	{ "unix_time",        "",    f_unix_time       },
	{ "unix_time_millis", "",    f_unix_time_millis},
	{ "uuid",             "",    f_uuid            },
	{ "printf",           "s*",  f_printf          },
};

static int run_function(struct reader *t, const struct function *f, const struct arg *arg,
                        size_t n, struct arg *out)
{
	size_t need = strcspn(f->args, "*");

	if (n < need || (n > need && f->args[need] == '\0'))
		return err_set(t->e, ERR_INVALID,
		               "username_template: %s takes %zu values, not %zu", f->name,
		               need, n);
	for (size_t i = 0; i < need; i++)
		if ((f->args[i] == 'n') != arg[i].is_number)
			return err_set(t->e, ERR_INVALID,
			               "username_template: %s: value %zu is no %s",
			               f->name, i + 1,
			               f->args[i] == 'n' ? "number" : "text");
	return f->run(t, arg, n, out);
}

/* ---- what stands between {{ and }} ---- */

static void skip_space(struct reader *t)
{
	t->p += strspn(t->p, " \t\r\n");
}

static int read_quoted(struct reader *t, struct arg *out)
{
	char *s = arena_alloc(t->a, strlen(t->p) + 1), *q = s;

	if (s == NULL)
		return no_memory(t);
	for (t->p++; *t->p != '"'; t->p++) {
		if (*t->p == '\0' || *t->p == '\n')
			return invalid(t, "a text has no end");
		if (*t->p == '\\' && t->p[1] != '\0' && strchr("\\\"", t->p[1]) != NULL)
			t->p++;
		else if (*t->p == '\\')
			return invalid(t, "a text has an escape that is not known");
		*q++ = *t->p;
	}
	*q = '\0';
	t->p++;
	return give(t, out, s);
}

static int read_raw(struct reader *t, struct arg *out)
{
	const char *end = strchr(t->p + 1, '`');
	int rc;

	if (end == NULL)
		return invalid(t, "a text has no end");
	rc = give(t, out, arena_dup(t->a, t->p + 1, (size_t)(end - t->p - 1)));
	t->p = end + 1;
	return rc;
}

static int read_number(struct reader *t, struct arg *out)
{
	size_t n = strspn(t->p, "0123456789");
	int rc;

	if (n > 9)
		return invalid(t, "a number is too big");
	rc = give(t, out, arena_dup(t->a, t->p, n));
	if (rc != ERR_OK)
		return rc;
	out->is_number = true;
	out->number = strtoll(out->text, NULL, 10);
	t->p += n;
	return ERR_OK;
}

static size_t word_length(const char *p)
{
	return strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                 "0123456789_");
}

static bool is_word(const char *p, const char *word)
{
	size_t n = word_length(p);

	return n == strlen(word) && memcmp(p, word, n) == 0;
}

static int read_field(struct reader *t, struct arg *out)
{
	const char *value = NULL;

	if (is_word(t->p + 1, "DisplayName"))
		value = t->vars->display_name;
	else if (is_word(t->p + 1, "RoleName"))
		value = t->vars->role_name;
	if (value == NULL)
		return invalid(t, "the fields are .DisplayName and .RoleName");
	t->p += 1 + word_length(t->p + 1);
	return give(t, out, value);
}

static int read_pipeline(struct reader *t, struct arg *out);

/* The same as read_pipeline(), up to the closing parenthesis.  The depth is limited. */
static int read_parentheses(struct reader *t, struct arg *out)
{
	int rc;

	if (++t->depth > DEPTH_MAX)
		return invalid(t, "too many parentheses");
	t->p++;
	/* NOLINTNEXTLINE(misc-no-recursion) */
	if ((rc = read_pipeline(t, out)) != ERR_OK)
		return rc;
	if (*t->p != ')')
		return invalid(t, "a parenthesis is not closed");
	t->p++;
	t->depth--;
	return ERR_OK;
}

static const struct function *find_function(const char *p)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (is_word(p, functions[i].name))
			return &functions[i];
	return NULL;
}

/* One value; a function without its arguments. */
static int read_value(struct reader *t, struct arg *out)
{
	const struct function *f;

	switch (*t->p) {
	case '"':
		return read_quoted(t, out);
	case '`':
		return read_raw(t, out);
	case '.':
		return read_field(t, out);
	case '(':
		/* NOLINTNEXTLINE(misc-no-recursion) */
		return read_parentheses(t, out);
	default:
		break;
	}
	if (*t->p >= '0' && *t->p <= '9')
		return read_number(t, out);
	if ((f = find_function(t->p)) == NULL)
		return err_set(t->e, ERR_INVALID,
		               "username_template: \"%.*s\" is not known",
		               (int)(word_length(t->p) < WORD_MAX ? word_length(t->p)
		                                                  : WORD_MAX),
		               t->p);
	t->p += word_length(t->p);
	return run_function(t, f, NULL, 0, out);
}

static bool ends_command(const struct reader *t)
{
	return *t->p == '|' || *t->p == ')' || *t->p == '\0' ||
	       strncmp(t->p, "}}", 2) == 0 || strncmp(t->p, "-}}", 3) == 0;
}

/* A value, or a function with its arguments; ${piped}: its last one, or NULL. */
static int read_command(struct reader *t, const struct arg *piped, struct arg *out)
{
	const struct function *f;
	struct arg arg[ARGS_MAX + 1] = { 0 };
	size_t n = 0;
	int rc;

	skip_space(t);
	if ((f = find_function(t->p)) != NULL)
		t->p += word_length(t->p);
	for (skip_space(t); !ends_command(t); skip_space(t)) {
		if (n == ARGS_MAX)
			return invalid(t, "too many values");
		/* NOLINTNEXTLINE(misc-no-recursion) */
		if ((rc = read_value(t, &arg[n++])) != ERR_OK)
			return rc;
	}
	if (f == NULL && (n != 1 || piped != NULL))
		return invalid(t,
		               n == 0 ? "a value is missing"
		                      : "a value has other values, and is no function");
	if (f == NULL) {
		*out = arg[0];
		return ERR_OK;
	}
	if (piped != NULL)
		arg[n++] = *piped;
	return run_function(t, f, arg, n, out);
}

static int read_pipeline(struct reader *t, struct arg *out)
{
	struct arg last;
	int rc;

	/* NOLINTNEXTLINE(misc-no-recursion) */
	rc = read_command(t, NULL, out);
	while (rc == ERR_OK && *t->p == '|') {
		t->p++;
		last = *out;
		/* NOLINTNEXTLINE(misc-no-recursion) */
		rc = read_command(t, &last, out);
	}
	return rc;
}

/* ---- all of it ---- */

static const char spaces[] = " \t\r\n";

static size_t without_space(const char *p, size_t n)
{
	while (n > 0 && strchr(spaces, p[n - 1]) != NULL)
		n--;
	return n;
}

/* After "{{"; what follows "}}" is next. */
static int read_action(struct reader *t, struct arg *out)
{
	int rc = read_pipeline(t, out);

	if (rc != ERR_OK)
		return rc;
	if (strncmp(t->p, "-}}", 3) == 0) {
		t->p += 3;
		skip_space(t);
	} else if (strncmp(t->p, "}}", 2) == 0) {
		t->p += 2;
	} else {
		return invalid(t, "{{ is not closed");
	}
	return ERR_OK;
}

static int make(struct reader *t, const char **out)
{
	struct arg v = { .text = "" };
	const char *made = "";
	int rc;

	while (*t->p != '\0') {
		const char *open = strstr(t->p, "{{");
		size_t n = open != NULL ? (size_t)(open - t->p) : strlen(t->p);
		bool trim = open != NULL && open[2] == '-' && open[3] != '\0' &&
		            strchr(spaces, open[3]) != NULL;

		made = arena_printf(t->a, "%s%.*s", made,
		                    (int)(trim ? without_space(t->p, n) : n), t->p);
		if (made == NULL)
			return no_memory(t);
		if (open == NULL)
			break;
		t->p = open + (trim ? 3 : 2);
		if ((rc = read_action(t, &v)) != ERR_OK)
			return rc;
		if ((made = arena_printf(t->a, "%s%s", made, v.text)) == NULL)
			return no_memory(t);
		if (strlen(made) > USERNAME_TEMPLATE_MAX)
			return invalid(t, "what it makes is too long");
	}
	if (made[0] == '\0')
		return invalid(t, "it makes nothing");
	*out = made;
	return ERR_OK;
}

int username_template_make(struct arena *a, const char *text,
                           const struct username_vars *vars, const char **out,
                           struct err *e)
{
	struct reader t = { .a = a, .vars = vars, .p = text, .e = e };

	return make(&t, out);
}

int username_template_check(struct arena *a, const char *text, struct err *e)
{
	static const struct username_vars vars = { .display_name = "token",
		                                   .role_name = "role",
		                                   .now_ms = 1 };
	const char *made[TRIES];
	int rc;

	for (size_t i = 0; i < TRIES; i++)
		made[i] = "";

	if (strlen(text) > USERNAME_TEMPLATE_MAX)
		return err_set(e, ERR_INVALID, "username_template: at most %u bytes",
		               USERNAME_TEMPLATE_MAX);
	for (size_t i = 0; i < TRIES; i++) {
		struct reader t = { .a = a, .vars = &vars, .p = text, .e = e };

		if ((rc = make(&t, &made[i])) != ERR_OK)
			return rc;
		for (size_t k = 0; k < i; k++)
			if (strcmp(made[k], made[i]) == 0)
				t.random = 0;
		if (t.random < RANDOM_MIN)
			return err_set(e, ERR_INVALID,
			               "username_template: names need 'random' with at "
			               "least %d characters, or 'uuid': each must be "
			               "another one",
			               RANDOM_MIN);
	}
	return ERR_OK;
}
