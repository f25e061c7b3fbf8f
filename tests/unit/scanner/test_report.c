/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of strangers in reports. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "report/report.h"
#include "report/report_impl.h"

TestSuite(report, .timeout = 60);

static const char *written(void (*fn)(FILE *, const char *), const char *s)
{
	static char out[512];
	FILE *f = fmemopen(out, sizeof(out), "w");

	memset(out, 0, sizeof(out));
	fn(f, s);
	fclose(f);
	return out;
}

static void plain(FILE *f, const char *s)
{
	cr_expect_eq(report_plain(f, s), report_columns(s));
}

Test(report, controls_come_out_as_text)
{
	cr_expect_str_eq(written(plain, "a\033[31mb\n\r\t\x7f"),
	                 "a\\x1b[31mb\\x0a\\x0d\\x09\\x7f");
	cr_expect_str_eq(written(plain, "\xc2\x9b"
	                                "31m"),
	                 "\\u009b31m");
	cr_expect_str_eq(written(plain, "x\xe2\x80\xaegnp"), "x\\u{202e}gnp");
	cr_expect_str_eq(written(plain, "\xe2\x80\x8b\xef\xbb\xbf"),
	                 "\\u{200b}\\u{feff}");
	cr_expect_str_eq(written(plain, "\xf3\xa0\x81\x81"), "\\u{e0041}");
	cr_expect_str_eq(written(plain, "\xef\xbf\xbe"), "\\u{fffe}");
}

Test(report, the_rest_stays)
{
	static const char text[] =
		"h\xc3\xa9llo \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x94\x91 \xef\xbf\xbd ~";

	cr_expect_str_eq(written(plain, text), text);
	cr_expect_eq(report_columns("\xe6\x97\xa5"
	                            "a"),
	             2);
}

Test(report, markup_is_escaped)
{
	cr_expect_str_eq(written(report_markup, "<a href='x' b=\"y\">&amp;\x01"),
	                 "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;amp;\\x01");
}

Test(report, what_is_no_utf8_becomes_a_mark)
{
	json_t *t = report_text("a\xff"
	                        "b\xc3"
	                        "c\xed\xa0\x80");

	cr_expect_str_eq(json_string_value(t), "a\xef\xbf\xbd"
	                                       "b\xef\xbf\xbd"
	                                       "c\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(t);
}

static void id_of(const char *path, const char *excerpt, char *decoded,
                  unsigned char out[REPORT_ID])
{
	static unsigned char prints;
	struct finding f = { 0 };

	snprintf(f.excerpt, sizeof(f.excerpt), "%s", excerpt);
	snprintf(f.decoded, sizeof(f.decoded), "%s", decoded);
	f.fingerprint[0] = ++prints; /* does not count */
	report_place_id(out, path, &f);
}

Test(report, an_id_is_of_what_is_shown)
{
	unsigned char a[REPORT_ID], b[REPORT_ID];
	char none[] = "", base64[] = "base64";

	id_of("p", "x = ****", none, a);
	id_of("p", "x = ****", none, b);
	cr_expect_eq(memcmp(a, b, REPORT_ID), 0);
	id_of("px", " = ****", none, b);
	cr_expect_neq(memcmp(a, b, REPORT_ID), 0);
	id_of("p", "y = ****", none, b);
	cr_expect_neq(memcmp(a, b, REPORT_ID), 0);
	id_of("p", "x = ****", base64, b);
	cr_expect_neq(memcmp(a, b, REPORT_ID), 0);
}

Test(report, rows_are_sorted_by_place)
{
	json_t *rows = json_pack("[{s:s,s:i},{s:s,s:i},{s:s,s:i}]", "file", "b", "line",
	                         2, "file", "b", "line", 1, "file", "a", "line", 9);

	report_sort(rows);
	cr_expect_str_eq(report_get(json_array_get(rows, 0), "file"), "a");
	cr_expect_eq(report_number(json_array_get(rows, 1), "line"), 1);
	cr_expect_eq(json_array_size(rows), 3);
	json_decref(rows);
}
