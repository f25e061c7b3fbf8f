/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole engine against one that is too simple to be wrong: each rule's expression is
 * run over all lines, without anchors, beginnings, runs or first bytes.
 *
 * The texts are the examples of all rules, in any order and among lines that are full of
 * keywords.  SCAN_FILES names other files to compare on, parted by blanks.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <criterion/criterion.h>
#include <pcre2.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match/stream_impl.h"

#define ROUNDS     6
#define TEXT_MAX   ((size_t)512 * 1024)
#define AROUND     5u    /* lines that a verdict sees, each way */
#define LINE_LONG  1500u /* longer ones are searched in parts */
#define REACH      4096u /* where a match of a finding may begin before it */
#define FOUNDS_MAX 20000u

TestSuite(engine, .timeout = 600);

struct told_here {
	const struct rule *rule;
	size_t at, n;
	bool reported, decoded;
};

static struct {
	struct rule_set rules;
	struct scan_engine *g;
	struct scan_stream *s;
	pcre2_code *re[RULES_MAX];
	pcre2_match_data *md;
	unsigned char text[TEXT_MAX];
	size_t n;
	struct told_here told[FOUNDS_MAX];
	size_t told_n;
	size_t compared, confirmed;
} t;

static void sink(void *ctx, const struct finding *f)
{
	(void)ctx;
	cr_assert_lt(t.told_n, FOUNDS_MAX);
	t.told[t.told_n++] = (struct told_here){ .rule = f->rule,
		                                 .at = (size_t)f->offset,
		                                 .n = f->secret_n,
		                                 .reported = f->drop == DROP_NONE,
		                                 .decoded = *f->decoded != '\0' };
}

static void setup(void)
{
	static const struct scan_options options = { .filtered = true, .reveal = true };
	struct err e = { 0 };
	PCRE2_SIZE at;
	int code;

	cr_assert_eq(rules_builtin(&t.rules, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(scan_engine_new(&t.rules, &t.g, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(t.s = scan_stream_new(t.g, &options, sink, NULL));
	cr_assert_not_null(t.md = pcre2_match_data_create(64, NULL));
	for (size_t i = 0; i < t.rules.n; i++) {
		t.re[i] = pcre2_compile((PCRE2_SPTR)t.rules.at[i].regex,
		                        PCRE2_ZERO_TERMINATED, 0, &code, &at, NULL);
		cr_assert_not_null(t.re[i]);
		(void)pcre2_jit_compile(t.re[i], PCRE2_JIT_COMPLETE);
	}
}

static void teardown(void)
{
	for (size_t i = 0; i < t.rules.n; i++)
		pcre2_code_free(t.re[i]);
	pcre2_match_data_free(t.md);
	scan_stream_free(t.s);
	scan_engine_free(t.g);
	rules_free(&t.rules);
}

/* --- texts
 * ------------------------------------------------------------------------------
 */

/* Without the marks that split tokens. */
static void put(const char *s)
{
	if (t.n + strlen(s) + 1 > TEXT_MAX)
		return;
	for (; *s != '\0'; s++) {
		while (strncmp(s, "{+}", 3) == 0)
			s += 3;
		if (*s == '\0')
			break;
		t.text[t.n++] = (unsigned char)*s;
	}
	t.text[t.n++] = '\n';
}

/* Lines that begin as secrets do and are none. */
static void put_noise(void)
{
	static const char *const words[] = {
		"password", "token is used",  "secret: ",   "key = ",
		"ghp_",     "https://a.b/c",  "auth(",      "--token",
		"sk_test_", "export API_KEY", "private key"
	};
	char line[400] = "";

	for (unsigned i = randombytes_uniform(6); i > 0; i--)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%c%c",
		         words[randombytes_uniform(sizeof(words) / sizeof(*words))],
		         " \t,;=:\"("[randombytes_uniform(8)],
		         'a' + (int)randombytes_uniform(26));
	put(line);
}

static void make_text(void)
{
	t.n = 0;
	for (int i = 0; i < 400; i++) {
		const struct rule *u =
			&t.rules.at[randombytes_uniform((uint32_t)t.rules.n)];
		const struct texts *from = randombytes_uniform(4) ? &u->positive
		                                                  : &u->negative;

		if (from->n > 0)
			put(from->at[randombytes_uniform((uint32_t)from->n)]);
		for (unsigned k = randombytes_uniform(4); k > 0; k--)
			put_noise();
	}
}

static void scan(void)
{
	static const struct blob blob = { .channel = CHANNEL_FILE, .path = "a.conf" };
	const unsigned char *p = t.text, *end = p + t.n;

	t.told_n = 0;
	cr_assert_eq(scan_stream_begin(t.s, &blob), ERR_OK);
	while (p < end) {
		size_t some = 1 + randombytes_uniform(70000);

		some = some < (size_t)(end - p) ? some : (size_t)(end - p);
		cr_assert_eq(scan_stream_feed(t.s, p, some), ERR_OK);
		p += some;
	}
	cr_assert_eq(scan_stream_end(t.s), ERR_OK);
}

/* --- the simple engine
 * ------------------------------------------------------------------
 */

static size_t lines_back(size_t at, unsigned lines)
{
	for (; at > 0; at--)
		if (t.text[at - 1] == '\n' && lines-- == 0)
			break;
	return at;
}

static size_t lines_on(size_t at, unsigned lines)
{
	for (; at < t.n; at++)
		if (t.text[at] == '\n' && lines-- == 0)
			break;
	return at;
}

/* The secret of a match: the group with the highest number. */
static size_t secret(size_t base, int groups, size_t *n)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(t.md);
	size_t from = v[0], to = v[1];

	for (int i = 1; i < groups; i++)
		if (v[2 * i] != PCRE2_UNSET) {
			from = v[2 * i];
			to = v[2 * i + 1];
		}
	*n = to - from;
	return base + from;
}

static bool is_secret(const struct rule *u, size_t at, size_t n, size_t match,
                      size_t match_n)
{
	static const struct blob blob = { .channel = CHANNEL_FILE, .path = "a.conf" };
	const size_t from = lines_back(at, AROUND), to = lines_on(at + n, AROUND);
	struct verdict v;
	struct candidate c = {
		.rule = u,
		.value = (const char *)t.text + at,
		.n = n,
		.text = (const char *)t.text + from,
		.text_n = to - from,
		.value_at = at - from,
		.match_at = match - from,
		.match_n = match_n,
		.blob = &blob,
		.decoded = "",
	};

	if (n == 0 || memchr(c.value, '&', n) != NULL)
		return false; /* of a query, a part is the value */
	if (u->charset != CHARSET_NONE &&
	    ((at > 0 && charset_has(u->charset, t.text[at - 1])) ||
	     (at + n < t.n && charset_has(u->charset, t.text[at + n]))))
		return false; /* a part of something longer */
	verdict_judge(&c, &v);
	return v.drop == DROP_NONE;
}

/* Is it told, or something that it is a part of? */
static bool is_told(const struct rule *u, size_t at, size_t n)
{
	for (size_t i = 0; i < t.told_n; i++) {
		const struct told_here *x = &t.told[i];

		if (!x->decoded && ((x->rule == u && x->at == at) ||
		                    (x->reported && x->at < at + n && at < x->at + x->n)))
			return true;
	}
	return false;
}

static void compare_line(const struct rule *u, size_t line, size_t end)
{
	const size_t to = lines_on(line, u->lines_span - 1);
	size_t at = 0, n, value;
	int rc;

	while (line + at < end &&
	       (rc = pcre2_match(t.re[u->index], t.text + line, to - line, at,
	                         PCRE2_NO_UTF_CHECK, t.md, NULL)) > 0) {
		const PCRE2_SIZE *v = pcre2_get_ovector_pointer(t.md);
		const size_t from = v[0], stop = v[1];

		if (line + from > end)
			return; /* of a line further on */
		value = secret(line, rc, &n);
		at = stop > at ? stop : at + 1;
		if (!is_secret(u, value, n, line + from, stop - from))
			continue;
		cr_expect(is_told(u, value, n), "%s missed at %zu: %.*s", u->id, value,
		          (int)(end - line), (const char *)t.text + line);
		t.compared++;
	}
}

static void all_that_it_finds_is_told(void)
{
	for (size_t i = 0; i < t.rules.n; i++) {
		const struct rule *u = &t.rules.at[i];

		if (u->allow || u->files.n > 0 || u->collect_pem || u->window > 0)
			continue;
		for (size_t at = 0, end; at < t.n; at = end + 1) {
			end = lines_on(at, 0);
			if (lines_on(at, u->lines_span - 1) - at < LINE_LONG)
				compare_line(u, at, end);
		}
	}
}

/* Does some match of its rule have this value? */
static bool matches(const struct told_here *x)
{
	const size_t least = x->at > REACH ? x->at - REACH : 0;
	const size_t to = lines_on(x->at, x->rule->lines_span - 1 + x->rule->lines);
	size_t n;
	int rc;

	for (size_t from = x->at + 1; from-- > least;) {
		rc = pcre2_match(t.re[x->rule->index], t.text, to, from,
		                 PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED, t.md, NULL);
		if (rc > 0 && secret(0, rc, &n) == x->at)
			return true;
	}
	return false;
}

static void all_that_is_told_is_found(void)
{
	for (size_t i = 0; i < t.told_n; i++) {
		const struct told_here *x = &t.told[i];

		if (x->decoded || !x->reported)
			continue;
		cr_expect(matches(x), "%s made up at %zu: %.*s", x->rule->id, x->at, 60,
		          (const char *)t.text + x->at);
		t.confirmed++;
	}
}

Test(engine, finds_what_expressions_find_alone, .init = setup, .fini = teardown)
{
	for (int round = 0; round < ROUNDS; round++) {
		make_text();
		scan();
		all_that_it_finds_is_told();
		all_that_is_told_is_found();
	}
	cr_assert_gt(t.compared, 500 * ROUNDS / 3, "%zu", t.compared);
	cr_assert_gt(t.confirmed, 200 * ROUNDS / 3, "%zu", t.confirmed);
}

Test(engine, finds_the_same_in_files, .init = setup, .fini = teardown)
{
	char *names = getenv("SCAN_FILES"), *list = names != NULL ? strdup(names) : NULL;
	char *save = NULL;

	for (char *name = list != NULL ? strtok_r(list, " \n", &save) : NULL;
	     name != NULL; name = strtok_r(NULL, " \n", &save)) {
		FILE *f = fopen(name, "rb");

		cr_assert_not_null(f, "%s", name);
		while ((t.n = fread(t.text, 1, TEXT_MAX, f)) > 0) {
			scan();
			all_that_it_finds_is_told();
			all_that_is_told_is_found();
		}
		fclose(f);
	}
	if (list != NULL)
		fprintf(stderr, "%zu compared, %zu confirmed\n", t.compared, t.confirmed);
	free(list);
}
