/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a service is changed where references are, and nowhere else. */
#include "agent/swarm/spec.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(swarm_spec, .timeout = 60);

static struct err e;

#define BEFORE                                                                            \
	"{\"Zeta\":1e400,\"Name\":\"w\\u0065b\", \"Labels\" :{\"a\":\"}]\\\"\"},"         \
	"\"Big\":123456789012345678901234567890.10,\"TaskTemplate\":{\"ContainerSpec\":{" \
	"\"Image\":\"x@sha256:0\",\"Env\":[\"A=\\ud83d\\ude00\",\"\\\\\"],"
#define AFTER                                                                          \
	"\"Hosts\":null,\"Un-known\":[[],{},[{\"Secrets\":[1]}]]},\"ForceUpdate\":0}," \
	"\"Mode\":{\"Replicated\":{\"Replicas\":-0.0E+1}}}"
#define REF(id, name, target)                                                       \
	"{\"File\":{\"Name\":\"" target "\",\"UID\":\"7\",\"Mode\":288,\"New\":[1." \
	"50]},\"SecretID\":\"" id "\",\"SecretName\":\"" name "\"}"

static const struct spec_ref app = { .target = "app",
	                             .id = "n1",
	                             .name = "app.2",
	                             .uid = "0",
	                             .gid = "5",
	                             .mode = 256 };

static char *doc(const char *spec)
{
	char *s = NULL;

	cr_assert_gt(asprintf(&s,
	                      " {\"ID\":\"i\",\"Version\":{\"Index\":28},\"Spec\":%s,"
	                      "\"PreviousSpec\":{\"Name\":\"old\"}}\n",
	                      spec),
	             0);
	return s;
}

static void patched(const char *spec, const struct spec_ref *refs, size_t n,
                    const char *want)
{
	char *text = doc(spec), *out = NULL;

	cr_assert_eq(spec_patch(text, strlen(text), refs, n, &out, &e), ERR_OK, "%s",
	             e.msg);
	cr_assert_str_eq(out, want);
	spec_free(out);
	free(text);
}

static void refused(const char *text, const struct spec_ref *refs, size_t n)
{
	char *copy = malloc(strlen(text) + 1), *out = NULL;

	/* at the end of its memory: nothing behind it may be read */
	memcpy(copy, text, strlen(text));
	e.msg[0] = '\0';
	cr_assert_eq(spec_patch(copy, strlen(text), refs, n, &out, &e), ERR_INVALID, "%s",
	             text);
	cr_assert_null(out);
	cr_assert_str_not_empty(e.msg);
	free(copy);
}

Test(swarm_spec, a_reference_gets_another_secret_and_keeps_the_rest)
{
	patched(BEFORE "\"Secrets\":[" REF("o1", "app.1",
	                                   "app") "," REF("z", "q", "other") "]," AFTER,
	        &app, 1,
	        BEFORE "\"Secrets\":[" REF("n1", "app.2",
	                                   "app") "," REF("z", "q", "other") "]," AFTER);
}

Test(swarm_spec, what_is_there_already_stays_as_it_is)
{
	patched(BEFORE "\"Secrets\":[" REF("n1", "app.2", "app") "]," AFTER, &app, 1,
	        BEFORE "\"Secrets\":[" REF("n1", "app.2", "app") "]," AFTER);
}

Test(swarm_spec, one_that_is_not_there_is_added)
{
	static const char made[] =
		"{\"File\":{\"Name\":\"app\",\"UID\":\"0\",\"GID\":\"5\",\"Mode\":256},"
		"\"SecretID\":\"n1\",\"SecretName\":\"app.2\"}";
	char want[2048];

	snprintf(want, sizeof(want), "%s\"Secrets\":[%s,%s],%s", BEFORE,
	         REF("z", "q", "other"), made, AFTER);
	patched(BEFORE "\"Secrets\":[" REF("z", "q", "other") "]," AFTER, &app, 1, want);
	snprintf(want, sizeof(want), "%s\"Secrets\":[%s],%s", BEFORE, made, AFTER);
	patched(BEFORE "\"Secrets\":null," AFTER, &app, 1, want);
	patched(BEFORE "\"Secrets\": [ ] ," AFTER, &app, 1,
	        (snprintf(want, sizeof(want), "%s\"Secrets\": [%s] ,%s", BEFORE, made,
	                  AFTER),
	         want));
	snprintf(want, sizeof(want),
	         "{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[%s]}}}", made);
	patched("{\"TaskTemplate\":{\"ContainerSpec\":{}}}", &app, 1, want);
	snprintf(want, sizeof(want),
	         "{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[%s], \"a\":1}}}",
	         made);
	patched("{\"TaskTemplate\":{\"ContainerSpec\":{ \"a\":1}}}", &app, 1, want);
}

Test(swarm_spec, one_goes)
{
	const struct spec_ref none = { .target = "app" };

	patched(BEFORE "\"Secrets\":[" REF("z", "q", "other") "," REF("o", "o",
	                                                              "app") "]," AFTER,
	        &none, 1, BEFORE "\"Secrets\":[" REF("z", "q", "other") "]," AFTER);
	patched(BEFORE "\"Secrets\":[" REF("o", "o", "app") "," REF("z", "q",
	                                                            "other") "]," AFTER,
	        &none, 1, BEFORE "\"Secrets\":[" REF("z", "q", "other") "]," AFTER);
	patched(BEFORE "\"Secrets\":[" REF("o", "o", "app") "]," AFTER, &none, 1,
	        BEFORE "\"Secrets\":[]," AFTER);
}

Test(swarm_spec, several_at_once_in_any_order_of_members)
{
	const struct spec_ref refs[] = {
		app, {.target = "/etc/a\"b", .id = "n2", .name = "x"}
	};

	patched("{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[{\"SecretName\":\"o\","
	        "\"x\":[\"]\"],\"SecretID\":\"p\",\"File\":{\"Name\":\"\\/etc\\/a\\u0022b\"}},"
	        "{\"SecretID\":\"\",\"SecretName\":\"\",\"File\":{\"Name\":\"ap\\u0070\"}}]}}}",
	        refs, 2,
	        "{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[{\"SecretName\":\"x\","
	        "\"x\":[\"]\"],\"SecretID\":\"n2\",\"File\":{\"Name\":\"\\/etc\\/a\\u0022b\"}},"
	        "{\"SecretID\":\"n1\",\"SecretName\":\"app.2\",\"File\":{\"Name\":\"ap\\u0070\"}}]}}}");
}

Test(swarm_spec, nothing_wanted_changes_nothing)
{
	patched(BEFORE "\"Secrets\":[" REF("o1", "app.1", "app") "]," AFTER, NULL, 0,
	        BEFORE "\"Secrets\":[" REF("o1", "app.1", "app") "]," AFTER);
}

Test(swarm_spec, a_hundred_thousand_brackets_are_no_problem)
{
	size_t depth = 100000;
	char *spec = malloc(2 * depth + 200), *p = spec;

	memcpy(p, "{\"Deep\":", 8);
	p += 8;
	memset(p, '[', depth);
	memset(p + depth, ']', depth);
	p += 2 * depth;
	snprintf(p, 100, ",\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[]}}}");
	patched(spec, NULL, 0, spec);
	free(spec);
}

static const char *const broken[] = {
	"",
	"[]",
	"{",
	"{\"Spec\":{}}",
	"{\"Spec\":{\"TaskTemplate\":{}}}",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":null}}}",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":[]}}}",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":7}}}}",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[7]}}}}",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[{\"File\":{\"Name\":"
	"\"app\"}}]}}}}",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[],\"Secrets\":[]}}}}",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":{}}},\"Spec\":{}}",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[",
	"{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":{}}}}x",
	"{\"Spec",
	"{\"Spec\"",
	"{\"Spec\":",
	"{\"Spec\":\"\\",
	"{Spec:{}}",
};

Test(swarm_spec, what_is_no_service_is_refused)
{
	const struct spec_ref twice[] = { app, app };

	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		refused(broken[i], &app, 1);
	refused("{\"Spec\":{\"TaskTemplate\":{\"ContainerSpec\":{\"Secrets\":[" REF(
			"a", "b", "app") "," REF("a", "b", "app") "]}}}}",
	        twice, 1);
}

/* Whatever is cut off or changed, nothing beyond the text is read (ASan), and what comes
 * out is never more than was there and was wanted. */
Test(swarm_spec, every_prefix_and_every_changed_byte)
{
	char *text = doc(BEFORE "\"Secrets\":[" REF("o1", "app.1", "app") "]," AFTER);
	size_t n = strlen(text);

	for (size_t cut = 0; cut < n; cut++) {
		char *copy = malloc(cut + 1), *out = NULL;

		memcpy(copy, text, cut);
		if (spec_patch(copy, cut, &app, 1, &out, &e) == ERR_OK)
			spec_free(out);
		free(copy);
	}
	for (size_t at = 0; at < n; at++)
		for (const char *c = "\"\\{}[],: 0n"; *c != '\0'; c++) {
			char was = text[at], *out = NULL;

			text[at] = *c;
			if (spec_patch(text, n, &app, 1, &out, &e) == ERR_OK)
				spec_free(out);
			text[at] = was;
		}
	free(text);
}

Test(swarm_spec, the_version_is_read)
{
	static const char *const bad[] = {
		"{}",
		"{\"Version\":{}}",
		"{\"Version\":{\"Index\":\"28\"}}",
		"{\"Version\":{\"Index\":-1}}",
		"{\"Version\":{\"Index\":1.5}}",
		"{\"Version\":{\"Index\":100000000000000000000}}"
	};
	uint64_t v = 0;
	char *text = doc("{}");

	cr_assert_eq(spec_index(text, strlen(text), &v, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(v, 28);
	free(text);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(spec_index(bad[i], strlen(bad[i]), &v, &e), ERR_INVALID,
		             "%s", bad[i]);
}
