/* SPDX-License-Identifier: Apache-2.0 */
/* report_html - one page that loads nothing and runs nothing: its policy allows one style
 * sheet, by its hash, and that is all. */
#include <string.h>

#include "report_impl.h"
#include "sha256.h"
#include "text.h"

static const char style[] =
	":root{color-scheme:light dark;--line:#8885;--soft:#8882}"
	"body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:80rem;"
	"padding:0 1rem}"
	"h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}"
	"table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;"
	"border-bottom:1px solid var(--line);overflow-wrap:anywhere}"
	"th{font-size:.8rem;white-space:nowrap}"
	"code{font:13px/1.4 ui-monospace,monospace;background:var(--soft);"
	"padding:.1rem .25rem;border-radius:.2rem;unicode-bidi:isolate}"
	"small{opacity:.75}"
	".s{font-weight:600;border-radius:.2rem;padding:.1rem .4rem;color:#fff;"
	"white-space:nowrap}"
	".critical{background:#8b0000}.high{background:#c0392b}.medium{background:#9a6700}"
	".low{background:#35618e}"
	".warn{border-left:.3rem solid #c0392b;padding:.5rem .8rem;background:var(--soft)}"
	"@media print{body{margin:0;max-width:none}}";

static void head(FILE *out)
{
	unsigned char h[SHA256_BYTES];
	char hash[TEXT_BASE64_LEN(SHA256_BYTES) + 1];

	sha256_of(h, style, sizeof(style) - 1);
	text_base64(h, sizeof(h), hash);
	fprintf(out,
	        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	        "style-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n"
	        "<meta name=\"referrer\" content=\"no-referrer\">\n"
	        "<meta name=\"robots\" content=\"noindex, nofollow\">\n"
	        "<meta name=\"viewport\" content=\"width=device-width\">\n"
	        "<title>vaultctl scan</title>\n<style>%s</style>\n</head>\n<body>\n",
	        hash, style);
}

static void cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	report_markup(out, *text != '\0' ? text : "–");
	fputs("</td>", out);
}

static void code(FILE *out, const char *text)
{
	if (*text == '\0')
		return;
	fputs("<code>", out);
	report_markup(out, text);
	fputs("</code>", out);
}

static void note(FILE *out, const char *what, const char *text)
{
	if (*text == '\0')
		return;
	fprintf(out, "<br><small>%s ", what);
	report_markup(out, text);
	fputs("</small>", out);
}

static void place(FILE *out, const json_t *row)
{
	fputs("<td>", out);
	code(out, report_get(row, "file"));
	fprintf(out, " line %lld", report_number(row, "line"));
	note(out, "channel", report_get(row, "channel"));
	note(out, "in", report_get(row, "source"));
	note(out, "layer", report_get(row, "layer"));
	note(out, "state:", report_get(row, "visibility"));
	note(out, "by layer", report_get(row, "later_layer"));
	note(out, "decoded:", report_get(row, "decoded"));
	fputs("</td>", out);
}

static void finding(FILE *out, const json_t *row)
{
	const char *severity = report_get(row, "severity");

	/* Of four words; as a class it needs no escape. */
	fprintf(out, "<tr><td><span class=\"s %s\">%s</span></td><td>", severity,
	        severity);
	report_markup(out, report_get(row, "title"));
	note(out, "rule", report_get(row, "rule"));
	note(out, "confidence", report_get(row, "confidence"));
	note(out, "checksum", report_get(row, "checksum"));
	note(out, "id", report_get(row, "id"));
	fputs("</td>", out);
	place(out, row);
	fputs("<td>", out);
	code(out, report_get(row, "excerpt"));
	fputs("</td></tr>\n", out);
}

static void findings(FILE *out, const struct report *r)
{
	const json_t *row;
	size_t i;

	fputs("<h2>Findings</h2>\n<table>\n<tr><th>Severity</th><th>What</th><th>Where</th>"
	      "<th>Line, secret left out</th></tr>\n",
	      out);
	json_array_foreach((json_t *)r->rows, i, row) if (report_is_finding(row))
		finding(out, row);
	fputs("</table>\n", out);
}

static void filtered(FILE *out, const struct report *r, size_t n)
{
	const json_t *row;
	size_t i;

	fprintf(out,
	        "<details>\n<summary>Filtered: %zu</summary>\n<table>\n<tr><th>Why</th>"
	        "<th>Rule</th><th>Where</th><th>Line</th></tr>\n",
	        n);
	json_array_foreach((json_t *)r->rows, i, row)
	{
		if (report_is_finding(row))
			continue;
		fputs("<tr><td>", out);
		report_markup(out, report_get(row, "reason"));
		note(out, "by", report_get(row, "filtered_by"));
		fputs("</td>", out);
		cell(out, report_get(row, "rule"));
		place(out, row);
		fputs("<td>", out);
		code(out, report_get(row, "excerpt"));
		fputs("</td></tr>\n", out);
	}
	fputs("</table>\n</details>\n", out);
}

static void not_scanned(FILE *out, const struct report *r)
{
	const json_t *row;
	size_t i;

	fputs("<h2>Not scanned</h2>\n<table>\n<tr><th>What</th><th>In</th><th>Why</th></tr>\n",
	      out);
	json_array_foreach((json_t *)r->skipped, i, row)
	{
		fputs("<tr><td>", out);
		code(out, report_get(row, "path"));
		fputs("</td>", out);
		cell(out, report_get(row, "source"));
		cell(out, report_get(row, "reason"));
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
}

static void overview(FILE *out, const struct report *r)
{
	char when[REPORT_TIME];

	report_time(r->ended, when);
	fprintf(out,
	        "<h1>Secrets found: %lld</h1>\n<p>vaultctl scan %s, %s UTC. "
	        "%lld filtered, %lld not scanned, %lld bytes in %lld files searched.</p>\n",
	        report_number(r->summary, "findings"), r->version, when,
	        report_number(r->summary, "filtered"),
	        report_number(r->summary, "not_scanned"),
	        report_number(r->summary, "bytes"), report_number(r->summary, "blobs"));
	if (!json_is_true(json_object_get(r->summary, "complete")))
		fputs("<p class=\"warn\">Incomplete: parts of what was named were not "
		      "scanned.</p>\n",
		      out);
}

void report_html(FILE *out, const struct report *r)
{
	size_t n = 0, i;
	const json_t *row;

	json_array_foreach((json_t *)r->rows, i, row) n += report_is_finding(row);
	head(out);
	overview(out, r);
	if (n > 0)
		findings(out, r);
	if (n < json_array_size(r->rows))
		filtered(out, r, json_array_size(r->rows) - n);
	if (json_array_size(r->skipped) > 0)
		not_scanned(out, r);
	fputs("</body>\n</html>\n", out);
}
