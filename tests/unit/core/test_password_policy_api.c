/* SPDX-License-Identifier: Apache-2.0 */
/* sys/policies/password as clients meet it, and the call that engines make. */
#include "core_rig.h"

#include "server/core/policy/password_policy.h"

TestSuite(password_policy_api, .init = rig_start, .fini = rig_stop, .timeout = 60);

#define BASE   "sys/policies/password"
#define POLICY "length = 12 rule \\\"charset\\\" { charset = \\\"xyz\\\" min-chars = 1 }"

Test(password_policy_api, write_read_list_delete)
{
	ASK(404, HTTP_LIST, BASE, NULL);
	ASK(204, HTTP_POST, BASE "/two", "{\"policy\":\"" POLICY "\"}");
	ASK(204, HTTP_POST, BASE "/One", "{\"policy\":\"" POLICY "\"}");
	ASK(200, HTTP_LIST, BASE, NULL);
	GOT("data", "{keys:[one,two]}");
	ASK(200, HTTP_GET, BASE "/one", NULL);
	GOT("data",
	    "{policy:length = 12 rule \"charset\" { charset = \"xyz\" min-chars = 1 }}");
	ASK(204, HTTP_DELETE, BASE "/one", NULL);
	ASK(204, HTTP_DELETE, BASE "/one", NULL);
	ASK(404, HTTP_GET, BASE "/one", NULL);
	GOT("", "{errors:[policy does not exist]}");
	ASK(404, HTTP_GET, BASE "/one/generate", NULL);
	GOT("", "{errors:[policy does not exist]}");
	/* base64 of: length = 4 rule "charset" { charset = "q" } */
	ASK(204, HTTP_POST, BASE "/b64",
	    "{\"policy\":\"bGVuZ3RoID0gNCBydWxlICJjaGFyc2V0IiB7IGNoYXJzZXQgPSAicSIgfQ==\"}");
	ASK(200, HTTP_GET, BASE "/b64/generate", NULL);
	GOT("data", "{password:qqqq}");
}

Test(password_policy_api, what_is_refused_changes_nothing)
{
	ASK(204, HTTP_POST, BASE "/p", "{\"policy\":\"" POLICY "\"}");
	ASK(400, HTTP_POST, BASE "/p", "{}");
	GOT("errors", "[missing policy]");
	ASK(400, HTTP_POST, BASE "/p", "{\"policy\":\"length = 8\"}");
	ASK(400, HTTP_POST, BASE "/a b", "{\"policy\":\"" POLICY "\"}");
	ASK(200, HTTP_GET, BASE "/p", NULL);
	GOT("data.policy",
	    "length = 12 rule \"charset\" { charset = \"xyz\" min-chars = 1 }");
}

Test(password_policy_api, an_engine_asks_by_name)
{
	const char *one = NULL, *two = NULL;
	struct err e;

	ASK(204, HTTP_POST, BASE "/wide",
	    "{\"policy\":\"length = 30 rule \\\"charset\\\" { charset = \\\"\\u00e4\\u20ac\\ud83d\\udd11\\\" "
	    "min-chars = 2 }\"}");
	cr_assert_eq(password_policy_generate(rig.core, rig.a, "wide", &one, &e), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(password_policy_generate(rig.core, rig.a, "wide", &two, &e), ERR_OK);
	cr_assert_str_neq(one, two);
	cr_assert(strlen(one) >= 60 && strlen(one) <= 120);
	for (const char *p = one; *p != '\0';) {
		size_t n = strncmp(p, "\xc3\xa4", 2) == 0           ? 2
		           : strncmp(p, "\xe2\x82\xac", 3) == 0     ? 3
		           : strncmp(p, "\xf0\x9f\x94\x91", 4) == 0 ? 4
		                                                    : 0;

		cr_assert_neq(n, 0, "%s", one);
		p += n;
	}
	cr_assert_eq(password_policy_generate(rig.core, rig.a, "none", &one, &e),
	             ERR_NOENT);
}
