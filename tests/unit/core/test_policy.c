/* SPDX-License-Identifier: Apache-2.0 */
/* The policy language, and decisions against a slow matcher that shares no code with it.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "server/core/policy/policy_impl.h"

#define MAX_DOCS 4

static struct policy_doc *parse(const char *text)
{
	struct policy_doc *d = NULL;
	struct err e = { 0 };
	int rc = policy_parse(text, strlen(text), &d, &e);

	cr_assert_eq(rc, ERR_OK, "%s: %s", text, e.msg);
	return d;
}

static unsigned decide1(const char *text, const char *path, bool list)
{
	struct policy_doc *d = parse(text);
	const struct policy_doc *docs[] = { d };
	unsigned caps = policy_decide(docs, 1, path, list);

	policy_doc_free(d);
	return caps;
}

/* --- parsing --- */

struct good_case {
	char text[400];
	char path[64];
	unsigned caps;
};
ParameterizedTestParameters(policy, accepts)
{
	/* clang-format off */
	static struct good_case c[] = {
		{ "path \"secret/a\" { capabilities = [\"read\"] }", "secret/a",
		  CAP_READ },
		{ "# c\n// c\n/* c\n c */ path \"a\" {\n capabilities = [\"read\", \"list\",] }",
		  "a", CAP_READ | CAP_LIST },
		{ "path \"a\" { capabilities = [\"read\"] }\npath \"a\" { capabilities "
		  "= [\"update\"] }", "a", CAP_READ | CAP_UPDATE },
		{ "path \"a\" { capabilities = [\"read\"] }\npath \"a\" { capabilities "
		  "= [\"deny\"] }", "a", CAP_DENY },
		{ "path \"/lead/ing\" { capabilities = [\"read\"] }", "lead/ing",
		  CAP_READ },
		{ "path \"a\" { policy = \"write\" }", "a",
		  CAP_CREATE | CAP_READ | CAP_UPDATE | CAP_DELETE | CAP_LIST },
		{ "path \"a\" { policy = \"read\" }", "a", CAP_READ | CAP_LIST },
		{ "path \"a\" { policy = \"sudo\" }", "a",
		  CAP_CREATE | CAP_READ | CAP_UPDATE | CAP_DELETE | CAP_LIST | CAP_SUDO },
		{ "path \"a\" { policy = \"deny\" }", "a", CAP_DENY },
		{ "name = \"x\"\npath \"a\" { capabilities = [\"patch\"] }", "a",
		  CAP_PATCH },
		{ "path \"a\\\"b\" { capabilities = [\"read\"] }", "a\"b", CAP_READ },
		{ "path \"a\\u00e9\" { capabilities = [\"read\"] }", "a\xc3\xa9",
		  CAP_READ },
		{ "path \"${x}\" { capabilities = [\"read\"] }", "${x}", CAP_READ },
		{ "path = { \"a\" = { capabilities = [\"read\"] } }", "a", CAP_READ },
		{ "\"path\" \"a\" { \"capabilities\" = [\"read\"] }", "a", CAP_READ },
		{ "path \"a\" { policy = <<EOT\nread\nEOT\n}", "a", 0 },
		{ "{\"path\":{\"a\":{\"capabilities\":[\"read\"]}}}", "a", CAP_READ },
		{ " {\"path\":[{\"a\":{\"capabilities\":[\"read\"]}},{\"b\":{\"policy\":"
		  "\"deny\"}}],\"name\":\"n\"}", "a", CAP_READ },
		{ "{\"path\":{\"a\\ud83d\\ude00\":{\"capabilities\":[\"read\"]}}}",
		  "a\xf0\x9f\x98\x80", CAP_READ },
		{ "path \"{{identity.entity.id}}\" { capabilities = [\"read\"] }", "a",
		  CAP_DENY },
		{ "path \"a/{{ identity.entity.id }}\" { capabilities = [\"read\"] }", "a/",
		  CAP_DENY },
		{ "path \"a/{{identity.groups.names.a b.metadata.x.y}}*\" { capabilities = "
		  "[\"read\"] } path \"a/b\" { capabilities = [\"list\"] }", "a/b", CAP_LIST },
		{ "path \"{{identity.entity.aliases.x.custom_metadata.y}}\" {} path \"{a}\" {"
		  " capabilities = [\"list\"] }", "{a}", CAP_LIST },
		{ "path \"a\" { allowed_parameters = { \"x\" = [1,\"s\",true,[],{}],\n y=[] } "
		  "denied_parameters { \"z\" = [-1.5e+3] } capabilities = [\"read\"] "
		  "required_parameters = [\"x\",] min_wrapping_ttl = 5 }", "a", CAP_READ },
		{ "{\"path\":{\"a\":{\"capabilities\":[\"read\"],\"allowed_parameters\":"
		  "{\"x\":[null,{\"y\":[1]}]},\"max_wrapping_ttl\":\"90s\"}}}", "a", CAP_READ },
		{ "", "a", CAP_DENY },
		{ "{}", "a", CAP_DENY },
		{ "path \"a\" {}", "a", CAP_DENY },
		{ "path \"a\" { capabilities = [] }", "a", CAP_DENY },
	};
	/* clang-format on */
	return cr_make_param_array(struct good_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct good_case *c, policy, accepts)
{
	struct policy_doc *d = NULL;
	struct err e = { 0 };

	if (c->caps == 0) { /* a heredoc ends in a newline, which no shorthand does */
		cr_assert_eq(policy_parse(c->text, strlen(c->text), &d, &e), ERR_INVALID);
		cr_assert(strstr(e.msg, "expected \"read\"") != NULL, "%s", e.msg);
		return;
	}
	cr_assert_eq(decide1(c->text, c->path, false), c->caps, "%s", c->text);
}

struct bad_case {
	char text[200];
	char want[120];
};
ParameterizedTestParameters(policy, refuses)
{
	/* clang-format off */
	static struct bad_case c[] = {
		{ "path \"a\" { capabilities = [\"reed\"] }",
		  "failed to parse policy: line 1: invalid capability \"reed\"" },
		{ "\n\npath \"a\" {\n capabilites = [\"read\"] }",
		  "failed to parse policy: line 4: invalid key \"capabilites\"" },
		{ "paths \"a\" { }", "line 1: invalid key \"paths\"" },
		{ "path \"a\" { capabilities = [\"read\"]", "line 1: block not closed" },
		{ "path \"a\" { capabilities = \"read\" }",
		  "expected a list of capabilities" },
		{ "path \"a\" { capabilities = [read] }", "expected a string" },
		{ "path \"a\" { capabilities = [\"read\" \"list\"] }",
		  "expected ',' or ']'" },
		{ "path \"a { capabilities = [] }", "string not terminated" },
		{ "path \"a\nb\" { }", "line 1: string not terminated" },
		{ "path \"a\\q\" { }", "unknown escape" },
		{ "path \"a\\u0000\" { }", "bad \\u escape" },
		{ "path \"a\\ud800\" { }", "bad \\u escape" },
		{ "path \"a\\u001b\" { }", "control characters" },
		{ "/* x", "line 1: comment not terminated" },
		{ "path \"a/+*\" { }", "invalid use of wildcards" },
		{ "path \"{{identity.entity.id\" { }", "unbalanced templating characters" },
		{ "path \"a}}\" { }", "unbalanced templating characters" },
		{ "path \"}}a{{\" { }", "unbalanced templating characters" },
		{ "path \"{{ {{identity.entity.id}} }}\" { }", "unbalanced templating" },
		{ "path \"{{}}\" { }", "unknown template" },
		{ "path \"{{identity.entity.ids}}\" { }", "unknown template" },
		{ "path \"{{identity.entity.metadata.}}\" { }", "unknown template" },
		{ "path \"{{identity.entity.aliases.x}}\" { }", "unknown template" },
		{ "path \"{{identity.groups.ids.g.id}}\" { }", "unknown template" },
		{ "path \"{{host.name}}\" { }", "unknown template" },
		{ "path \"{{identity.entity.id}}\" { capabilities = [\"reed\"] }",
		  "invalid capability" },
		{ "path \"a\" { allowed_parameters = [\"x\"] }", "expected a map of lists" },
		{ "path \"a\" { allowed_parameters = { \"x\" = 1 } }", "expected a list" },
		{ "path \"a\" { denied_parameters = { \"x\" = [", "expected a value" },
		{ "path \"a\" { denied_parameters = { \"x\" = []", "block not closed" },
		{ "path \"a\" { denied_parameters = { \"x\" = [1h] } }", "bad number" },
		{ "path \"a\" { denied_parameters = { \"x\" = [0x10] } }", "bad number" },
		{ "path \"a\" { denied_parameters = { \"x\" = [maybe] } }",
		  "expected a value" },
		{ "path \"a\" { denied_parameters = { \"x\" = [[[[[[[[[[1]]]]]]]]]] } }",
		  "nested too deeply" },
		{ "path \"a\" { denied_parameters = { \"x\" = [{a=1 a=2}] } }", "a key twice" },
		{ "path \"a\" { required_parameters = \"x\" }", "expected a list" },
		{ "path \"a\" { required_parameters = [1] }", "expected strings" },
		{ "path \"a\" {\n min_wrapping_ttl = \"1x\" }",
		  "line 2: wrapping TTL: expected a duration" },
		{ "path \"a\" { max_wrapping_ttl = -1 }", "expected a duration" },
		{ "path \"a\" { max_wrapping_ttl = \"-1s\" }", "expected a duration" },
		{ "path \"a\" { max_wrapping_ttl = 1 min_wrapping_ttl = \"2s\" }",
		  "max_wrapping_ttl cannot be less than min_wrapping_ttl" },
		{ "min_wrapping_ttl = \"1s\"", "invalid key \"min_wrapping_ttl\"" },
		{ "{\"path\":{\"a\":{\"capabilities\":[\"read\",]}}}",
		  "comma before the end" },
		{ "{\"path\":{\"a\":{\"capabilities\":[\"read\"]}}} x",
		  "text after the end" },
		{ "{\"path\":{\"a\":{\"capabilities\":[\"read\"]}}", "expected" },
		{ "{\"path\" {}}", "expected ':'" },
		{ "{path:{}}", "expected a key" },
		{ "path \"a\" { policy = <<EOT\nread\n }", "heredoc not terminated" },
		{ "path", "expected a path in quotes" },
		{ "path \"a\" { policy = \"admin\" }", "expected \"read\"" },
		{ "}", "expected a key" },
		{ "path \"a\" = ", "expected '{'" },
	};
	/* clang-format on */
	return cr_make_param_array(struct bad_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct bad_case *c, policy, refuses)
{
	struct policy_doc *d = NULL;
	struct err e = { 0 };

	cr_assert_eq(policy_parse(c->text, strlen(c->text), &d, &e), ERR_INVALID, "%s",
	             c->text);
	cr_assert_null(d);
	cr_assert(strncmp(e.msg, "failed to parse policy: line ", 29) == 0, "%s", e.msg);
	cr_assert(strstr(e.msg, c->want) != NULL, "%s: %s", c->text, e.msg);
}

Test(policy, heredoc_is_a_string)
{
	cr_assert_eq(decide1("name = <<X\n\"} not read\nX\n"
	                     "path \"a\" { capabilities = [\"read\"] }",
	                     "a", false),
	             CAP_READ);
	cr_assert_eq(decide1("name = <<-X\n\tb\n\t  c\n\tX\n"
	                     "path \"a\" { capabilities = [\"read\"] }",
	                     "a", false),
	             CAP_READ);
}

/* --- which rule applies --- */

struct rule_case {
	char rules[5][32]; /* "caps pattern", caps of r, u, l, d(eny) */
	char path[48];
	bool list;
	char want[8];
};

/* The same text with and without a star, and with a '+', are three patterns; each is
 * written twice. */
Test(policy, of_many_rules_those_of_one_pattern_are_one)
{
	enum { N = 200 };
	static const char *const forms[] = { "x", "x*", "+" };
	static char text[64 * 1024];
	struct policy_doc *d;
	size_t at = 0;

	for (int twice = 0; twice < 2; twice++)
		for (int i = 0; i < N; i++)
			for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
				char path[32];

				snprintf(path, sizeof(path), "a/%d/%s", i, forms[f]);
				at += (size_t)snprintf(
					text + at, sizeof(text) - at,
					"path \"%s\"{capabilities=[\"%s\"]}\n", path,
					twice ? "update" : "read");
				cr_assert_lt(at, sizeof(text) - 1);
			}
	d = parse(text);
	cr_assert_eq(d->n, N * ARRAY_LEN(forms));
	for (int i = 0; i < N; i++) {
		static const char *const asked[] = { "x", "xy", "z" };

		for (size_t f = 0; f < ARRAY_LEN(asked); f++) {
			const struct policy_doc *docs[] = { d };
			char path[32];

			snprintf(path, sizeof(path), "a/%d/%s", i, asked[f]);
			cr_assert_eq(policy_decide(docs, 1, path, false),
			             CAP_READ | CAP_UPDATE, "%s", path);
		}
	}
	policy_doc_free(d);
}

static unsigned caps_of(const char *letters)
{
	unsigned caps = 0;

	for (; *letters != '\0' && *letters != ' '; letters++)
		caps |= *letters == 'r'   ? CAP_READ
		        : *letters == 'u' ? CAP_UPDATE
		        : *letters == 'l' ? CAP_LIST
		                          : CAP_DENY;
	return caps;
}

static struct policy_doc *doc_of(char (*rules)[32], size_t n)
{
	struct policy_doc *d = policy_doc_new();

	for (size_t i = 0; i < n && rules[i][0] != '\0'; i++) {
		const char *pattern = strchr(rules[i], ' ') + 1;

		cr_assert_eq(policy_doc_add(d, pattern, strlen(pattern),
		                            caps_of(rules[i]), NULL),
		             0);
	}
	cr_assert_eq(policy_doc_index(d), 0);
	return d;
}

ParameterizedTestParameters(policy, one_rule_applies)
{
	/* clang-format off */
	static struct rule_case c[] = {
		{ { "r secret/*" }, "secret", false, "d" },
		{ { "r secret/*" }, "secret/", false, "r" },
		{ { "r secret/*" }, "secret/a/b", false, "r" },
		{ { "r secret/a" }, "secret/ab", false, "d" },
		{ { "r *" }, "anything/at all", false, "r" },
		{ { "r sec*" }, "secret/x", false, "r" },
		{ { "l secret/+" }, "secret/", true, "l" },
		{ { "l secret" }, "secret/", true, "l" },
		{ { "l secret" }, "secret/", false, "d" },
		{ { "l secret/", "r secret" }, "secret/", true, "l" },
		{ { "l secret*" }, "secret/", true, "l" },
		{ { "l s/+" }, "s/a/", true, "l" },
		{ { "l s/+" }, "s/a/", false, "d" },
		{ { "r a/*", "u a/+/b" }, "a/x/b", false, "u" },
		{ { "u a/+/b", "r a/*" }, "a/x/b", false, "u" },
		{ { "r a/+/*", "u a/*" }, "a/x/y", false, "u" },
		{ { "r a/b*", "u a/+/c" }, "a/b/c", false, "r" },
		{ { "r a/+/+/d", "u a/+/c/d" }, "a/b/c/d", false, "u" },
		{ { "r +/b/c", "u a/+/c" }, "a/b/c", false, "u" },
		{ { "r a/+/c*", "u a/+/cd" }, "a/b/cd", false, "u" },
		{ { "r a/+/c*", "u a/+/cd*" }, "a/b/cde", false, "u" },
		{ { "r secret/x", "url secret/*" }, "secret/x", false, "r" },
		{ { "d secret/*", "r secret/open" }, "secret/open", false, "r" },
		{ { "d secret/closed", "r secret/*" }, "secret/closed", false, "d" },
		{ { "r secret/*", "d secret/*" }, "secret/x", false, "d" },
		{ { "r a/b*" }, "a/b", false, "r" },
		{ { "r a*b" }, "a*b", false, "r" },
		{ { "r a*b" }, "axb", false, "d" },
		{ { "r a+b" }, "a+b", false, "r" },
		{ { "r a+b" }, "acb", false, "d" },
		{ { "r +" }, "x", false, "r" },
		{ { "r +" }, "x/y", false, "d" },
		{ { "r +/y" }, "x/y", false, "r" },
		{ { "r a/+/*" }, "a/b", false, "d" },
		{ { "r a/+/*" }, "a/b/", false, "r" },
		{ { "r a/+/c*" }, "a/b/c/d/e", false, "r" },
		{ { "r a/+/c*" }, "a/b/x", false, "d" },
		{ { "r a/+" }, "a", false, "d" },
	};
	/* clang-format on */
	return cr_make_param_array(struct rule_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct rule_case *c, policy, one_rule_applies)
{
	struct policy_doc *d = doc_of(c->rules, ARRAY_LEN(c->rules));
	const struct policy_doc *one[] = { d };
	struct policy_doc *split[5];
	const struct policy_doc *many[5];
	size_t n = 0;

	cr_assert_eq(policy_decide(one, 1, c->path, c->list), caps_of(c->want), "%s",
	             c->path);
	while (n < 5 && c->rules[n][0] != '\0') {
		split[n] = doc_of(c->rules + n, 1);
		many[n] = split[n];
		n++;
	}
	/* The same rules from several policies are the same decision. */
	cr_assert_eq(policy_decide(many, n, c->path, c->list), caps_of(c->want), "%s",
	             c->path);
	while (n > 0)
		policy_doc_free(split[--n]);
	policy_doc_free(d);
}

Test(policy, same_pattern_of_several_policies_is_a_union)
{
	char a[1][32] = { "r s/*" }, b[1][32] = { "u s/*" }, x[1][32] = { "d s/*" };
	struct policy_doc *da = doc_of(a, 1), *db = doc_of(b, 1), *dx = doc_of(x, 1);
	const struct policy_doc *docs[] = { da, db, dx };

	cr_assert_eq(policy_decide(docs, 2, "s/1", false), CAP_READ | CAP_UPDATE);
	cr_assert_eq(policy_decide(docs, 3, "s/1", false), CAP_DENY);
	policy_doc_free(da);
	policy_doc_free(db);
	policy_doc_free(dx);
}

/* --- the slow matcher --- */

struct naive {
	char pattern[64];
	unsigned caps;
};

static size_t split_path(const char *s, char parts[16][32])
{
	size_t n = 0, at = 0;

	for (;; s++) {
		if (*s == '/' || *s == '\0') {
			parts[n++][at] = '\0';
			at = 0;
			if (*s == '\0')
				return n;
		} else {
			parts[n][at++] = *s;
		}
	}
}

static size_t plus_count(const char *pattern)
{
	char parts[16][32];
	size_t n = split_path(pattern, parts), plus = 0;

	for (size_t i = 0; i < n; i++)
		plus += strcmp(parts[i], "+") == 0;
	return plus;
}

static bool star_at_end(const char *pattern)
{
	return pattern[0] != '\0' && pattern[strlen(pattern) - 1] == '*';
}

static bool naive_matches(const char *pattern, const char *path)
{
	char p[16][32], s[16][32];
	size_t np, ns;

	if (plus_count(pattern) == 0)
		return star_at_end(pattern)
		               ? strncmp(pattern, path, strlen(pattern) - 1) == 0
		               : strcmp(pattern, path) == 0;
	np = split_path(pattern, p);
	ns = split_path(path, s);
	if (ns < np || (!star_at_end(pattern) && ns != np))
		return false;
	for (size_t i = 0; i < np; i++) {
		if (strcmp(p[i], "+") == 0)
			continue;
		if (i + 1 == np && star_at_end(pattern)) {
			if (strncmp(p[i], s[i], strlen(p[i]) - 1) != 0)
				return false;
		} else if (strcmp(p[i], s[i]) != 0) {
			return false;
		}
	}
	return true;
}

static int first_wild(const char *pattern)
{
	char parts[16][32];
	size_t n = split_path(pattern, parts);
	int at = 0;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(parts[i], "+") == 0)
			return at;
		at += (int)strlen(parts[i]) + 1;
	}
	return (int)strlen(pattern) - 1;
}

static bool beats(const struct naive *x, const struct naive *y)
{
	int a[4] = { first_wild(x->pattern), !star_at_end(x->pattern),
		     -(int)plus_count(x->pattern), (int)strlen(x->pattern) };
	int b[4] = { first_wild(y->pattern), !star_at_end(y->pattern),
		     -(int)plus_count(y->pattern), (int)strlen(y->pattern) };

	for (int i = 0; i < 4; i++)
		if (a[i] != b[i])
			return a[i] > b[i];
	return strcmp(x->pattern, y->pattern) > 0;
}

static bool is_exact(const char *pattern)
{
	return plus_count(pattern) == 0 && !star_at_end(pattern);
}

static unsigned naive_decide(const struct naive *r, size_t n, const char *path, bool list)
{
	char shorter[64];
	const char *paths[2] = { path, shorter };
	size_t tries = 1, len = strlen(path);

	snprintf(shorter, sizeof(shorter), "%s", path);
	if (list && len > 0 && path[len - 1] == '/') {
		shorter[len - 1] = '\0';
		tries = 2;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t k = 0; k < tries; k++) {
			const struct naive *best = NULL;
			unsigned caps = 0;

			for (size_t i = 0; i < n; i++)
				if (is_exact(r[i].pattern) == (pass == 0) &&
				    naive_matches(r[i].pattern, paths[k]) &&
				    (best == NULL || beats(&r[i], best)))
					best = &r[i];
			for (size_t i = 0; best != NULL && i < n; i++)
				if (strcmp(r[i].pattern, best->pattern) == 0)
					caps |= r[i].caps;
			if (best != NULL)
				return (caps & CAP_DENY) || caps == 0 ? CAP_DENY : caps;
		}
	}
	return CAP_DENY;
}

static unsigned next(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16 & 0x7fff;
}

static void random_path(unsigned *seed, bool pattern, char out[64])
{
	static const char *const words[] = { "a", "b", "ab", "", "abc", "+", "+" };
	size_t segments = 1 + next(seed) % 4, n = 0;

	for (size_t i = 0; i < segments; i++) {
		const char *w = words[next(seed) % (pattern ? 7 : 5)];

		n += (size_t)snprintf(out + n, 64 - n, "%s%s", i > 0 ? "/" : "", w);
	}
	if (pattern && next(seed) % 3 == 0 && (n == 0 || out[n - 1] != '+'))
		snprintf(out + n, 64 - n, "*");
}

Test(policy, agrees_with_the_slow_matcher, .timeout = 60)
{
	static const unsigned some[] = { CAP_READ, CAP_UPDATE, CAP_LIST,
		                         CAP_DENY, CAP_SUDO,   0 };
	unsigned seed = 7;
	size_t granted = 0;

	for (int round = 0; round < 20000; round++) {
		struct policy_doc *made[MAX_DOCS];
		const struct policy_doc *docs[MAX_DOCS];
		struct naive rules[48]; /* some rounds: many of one shape */
		size_t n_docs = 1 + next(&seed) % MAX_DOCS,
		       n = 1 + next(&seed) % (round % 4 ? 12 : 48);
		char path[64];
		bool list = next(&seed) % 2;
		unsigned want, got;

		for (size_t i = 0; i < n_docs; i++)
			docs[i] = made[i] = policy_doc_new();
		for (size_t i = 0; i < n; i++) {
			random_path(&seed, true, rules[i].pattern);
			rules[i].caps = some[next(&seed) % 6];
			cr_assert_eq(policy_doc_add(made[i % n_docs], rules[i].pattern,
			                            strlen(rules[i].pattern),
			                            rules[i].caps, NULL),
			             0);
		}
		for (size_t i = 0; i < n_docs; i++)
			cr_assert_eq(policy_doc_index(made[i]), 0);
		random_path(&seed, false, path);
		if (list)
			snprintf(path + strlen(path), 2, "/");
		want = naive_decide(rules, n, path, list);
		got = policy_decide(docs, n_docs, path, list);
		granted += want != CAP_DENY;
		cr_assert_eq(got, want, "round %d, path '%s', list %d: got %x, want %x",
		             round, path, list, got, want);
		for (size_t i = 0; i < n_docs; i++)
			policy_doc_free(made[i]);
	}
	cr_assert_gt(granted, 2000, "the rules hardly ever matched");
}

Test(policy, many_rules_are_found)
{
	struct policy_doc *d = policy_doc_new();
	const struct policy_doc *docs[] = { d };
	char text[48];

	for (int i = 0; i < 1500; i++) {
		snprintf(text, sizeof(text), "secret/app-%d%s", i, i % 2 ? "/*" : "");
		cr_assert_eq(policy_doc_add(d, text, strlen(text), CAP_READ, NULL), 0);
	}
	cr_assert_eq(policy_doc_index(d), 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(text, sizeof(text), "secret/app-%d%s", i, i % 2 ? "/x" : "");
		cr_assert_eq(policy_decide(docs, 1, text, false), CAP_READ, "%s", text);
		snprintf(text, sizeof(text), "secret/app-%dx", i);
		cr_assert_eq(policy_decide(docs, 1, text, false), CAP_DENY, "%s", text);
	}
	policy_doc_free(d);
}

static const char *numbered(char out[48], const char *before, int i, const char *after)
{
	snprintf(out, 48, "%s%d%s", before, i, after);
	return out;
}

/* So many that those with '+' are found by their shape. */
Test(policy, many_rules_of_one_shape_are_found)
{
	static const struct {
		const char *rule[2], *hit[2], *miss[2];
	} f[] = {
		{{ "+/app-", "" },      { "any/app-", "" },     { "any/app-", "z" }   },
		{ { "a/+/app-", "/+" }, { "a/b/app-", "/c" },   { "b/b/app-", "/c" }  },
		{ { "+/x-", "*" },      { "q/x-", "tail/r" },   { "q/y-", "" }        },
		{ { "+/app-", "/*" },   { "any/app-", "/r/s" }, { "any/z/app-", "/r" }},
	};
	struct policy_doc *d = policy_doc_new();
	const struct policy_doc *docs[] = { d };
	char text[48];

	for (int i = 1000; i < 5000; i++) {
		numbered(text, f[i % 4].rule[0], i, f[i % 4].rule[1]);
		cr_assert_eq(policy_doc_add(d, text, strlen(text), CAP_READ, NULL), 0);
	}
	cr_assert_eq(policy_doc_index(d), 0);
	cr_assert_lt(policy_doc_cost(d), 10, "%zu places", policy_doc_cost(d));
	for (int i = 1000; i < 5000; i++) {
		numbered(text, f[i % 4].hit[0], i, f[i % 4].hit[1]);
		cr_assert_eq(policy_decide(docs, 1, text, false), CAP_READ, "%s", text);
		numbered(text, f[i % 4].miss[0], i, f[i % 4].miss[1]);
		cr_assert_eq(policy_decide(docs, 1, text, false), CAP_DENY, "%s", text);
	}
	cr_assert_eq(policy_decide(docs, 1, "any/app-1000/", true), CAP_READ);
	cr_assert_eq(policy_decide(docs, 1, "any/app-1000/", false), CAP_DENY);
	policy_doc_free(d);
}

Test(policy, patterns_of_very_many_segments_are_found)
{
	struct policy_doc *d = policy_doc_new();
	const struct policy_doc *docs[] = { d };
	char text[400], path[420];
	size_t n = 0;

	for (int i = 0; i < 70; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "s/");
	for (int i = 0; i < 10; i++) {
		snprintf(text + n, sizeof(text) - n, "+/%d", i);
		cr_assert_eq(policy_doc_add(d, text, strlen(text), CAP_READ, NULL), 0);
		snprintf(path, sizeof(path), "+/k%d*", i);
		cr_assert_eq(policy_doc_add(d, path, strlen(path), CAP_LIST, NULL), 0);
	}
	cr_assert_eq(policy_doc_index(d), 0);
	snprintf(text + n, sizeof(text) - n, "x/7");
	cr_assert_eq(policy_decide(docs, 1, text, false), CAP_READ);
	snprintf(text + n, sizeof(text) - n, "x/77");
	cr_assert_eq(policy_decide(docs, 1, text, false), CAP_DENY);
	snprintf(path, sizeof(path), "x/k7/%s", text);
	cr_assert_eq(policy_decide(docs, 1, path, false), CAP_LIST);
	policy_doc_free(d);
}
