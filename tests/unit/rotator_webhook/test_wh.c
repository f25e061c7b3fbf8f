/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "wh.h"

TestSuite(wh, .timeout = 20);

/* Computed with Python's hmac module. */
Test(wh, signature)
{
	char out[WH_SIGNATURE_MAX];

	cr_assert_geq(sodium_init(), 0);
	wh_sign("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	        1767225600, "{\"id\":\"00\",\"event\":\"test\"}", out);
	cr_assert_str_eq(
		out,
		"t=1767225600,v1=37c33b8511760fda699b8524c140f49c8392f1619e7a4b80eec92e0fd7720d0f");
	wh_sign("another key", 1767225600, "{\"id\":\"00\",\"event\":\"test\"}", out);
	cr_assert(
		strstr(out,
	               "37c33b8511760fda699b8524c140f49c8392f1619e7a4b80eec92e0fd7720d0f") ==
		NULL);
}

static int url(const char *s, bool insecure)
{
	struct answer a = { 0 };

	return wh_check_url(s, insecure, &a);
}

Test(wh, urls)
{
	static const char *const good[] = {
		"https://ops.example/hook?x=1", "https://ops.example:8443/",
		"https://[2001:db8::1]/x",      "http://127.0.0.1:8080/x",
		"http://localhost/x",           "http://[::1]:9/x",
	};
	static const char *const plain[] = { "http://ops.example/hook",
		                             "http://10.0.0.1/",
		                             "http://127.0.0.1.example/",
		                             "http://localhost.example/" };
	static const char *const bad[] = {
		"",
		"ops.example",
		"ftp://ops.example/",
		"https://",
		"https:///x",
		"https://u:p@example/",
		"https://a b/",
		"file:///etc/passwd",
		"https://x@127.0.0.1/",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect_eq(url(good[i], false), 0, "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		cr_expect_eq(url(plain[i], false), CLASS_PERMANENT, "%s", plain[i]);
		cr_expect_eq(url(plain[i], true), 0, "%s", plain[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(url(bad[i], true), CLASS_PERMANENT, "%s", bad[i]);
}
