/* SPDX-License-Identifier: Apache-2.0 */
/* report_row - a finding, what was not scanned, and the summary as JSON objects. */
#include <sodium.h>
#include <string.h>

#include "report_impl.h"
#include "text.h"

#define SHOWN_MAX 8192 /* bytes of a name */

json_t *report_text(const char *s)
{
	char out[SHOWN_MAX + TEXT_UTF8_MAX];
	size_t n = strlen(s), used = 0;

	if (text_utf8_ok(s, n))
		return json_stringn_nocheck(s, n);
	while (n > 0 && used < SHOWN_MAX) {
		size_t len = 1;

		while (len < TEXT_UTF8_MAX && len <= n && !text_utf8_ok(s, len))
			len++;
		if (len <= n && text_utf8_ok(s, len)) {
			memcpy(out + used, s, len);
			used += len;
		} else {
			len = 1;
			used += text_utf8_put(out + used, 0xfffd);
		}
		s += len;
		n -= len;
	}
	return json_stringn_nocheck(out, used);
}

void report_set(json_t *o, const char *member, const char *value)
{
	if (value != NULL && *value != '\0')
		json_object_set_new(o, member, report_text(value));
}

static void add(crypto_generichash_state *st, const char *text)
{
	crypto_generichash_update(st, (const unsigned char *)text, strlen(text) + 1);
}

void report_place_id(unsigned char out[REPORT_ID], const char *path,
                     const struct finding *f)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, REPORT_ID);
	add(&st, f->rule != NULL ? f->rule->id : "vault-secret");
	add(&st, path);
	add(&st, f->decoded);
	add(&st, f->excerpt);
	crypto_generichash_final(&st, out, REPORT_ID);
}

static void set_judgement(json_t *o, const struct finding *f, const char *by)
{
	report_set(o, "severity", severity_name(f->severity));
	report_set(o, "confidence", confidence_name(f->confidence));
	report_set(o, "checksum", validity_name(f->validity));
	if (f->drop == DROP_NONE)
		return;
	report_set(o, "reason", drop_name(f->drop));
	report_set(o, "filtered_by", by);
}

json_t *report_finding(const struct finding *f, const struct scan_place *at,
                       const unsigned char id[REPORT_ID], const char *by)
{
	char hex[2 * (FINDING_FINGERPRINT + REPORT_ID) + 1];
	json_t *o = json_object();

	report_set(o, "type", f->drop == DROP_NONE ? "finding" : "filtered");
	report_set(o, "rule", f->rule != NULL ? f->rule->id : "vault-secret");
	report_set(o, "title",
	           f->rule != NULL ? f->rule->title : "a secret of the vault");
	set_judgement(o, f, by);
	report_set(o, "channel", scan_channel_name(at->channel));
	report_set(o, "source", at->source);
	report_set(o, "layer", at->layer);
	if (*at->layer != '\0')
		report_set(o, "visibility", scan_visibility_name(at->visibility));
	report_set(o, "later_layer", at->later);
	report_set(o, "file", at->path);
	json_object_set_new(o, "line", json_integer((json_int_t)f->line));
	json_object_set_new(o, "column", json_integer((json_int_t)f->column));
	report_set(o, "decoded", f->decoded);
	report_set(o, "excerpt", f->excerpt);
	text_hex(id, REPORT_ID, hex);
	report_set(o, "id", hex);
	text_hex(f->fingerprint, sizeof(f->fingerprint), hex);
	report_set(o, "fingerprint", hex);
	return o;
}

json_t *report_skip(const struct scan_skip *s)
{
	json_t *o = json_object();

	report_set(o, "type", "not_scanned");
	report_set(o, "source", s->source);
	report_set(o, "layer", s->layer);
	report_set(o, "path", s->path);
	report_set(o, "reason", s->why);
	return o;
}

json_t *report_summary(const struct scan_totals *t, bool failed)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "type", "summary",
	                 "findings", (json_int_t)t->findings, "filtered",
	                 (json_int_t)t->filtered, "not_scanned", (json_int_t)t->skipped,
	                 "bytes", (json_int_t)t->bytes, "blobs", (json_int_t)t->blobs,
	                 "complete", t->skipped == 0 && !failed);
}

/* --- reading rows ------------------------------------------------------------------- */

const char *report_get(const json_t *row, const char *member)
{
	const char *s = json_string_value(json_object_get(row, member));

	return s != NULL ? s : "";
}

long long report_number(const json_t *row, const char *member)
{
	return (long long)json_integer_value(json_object_get(row, member));
}

bool report_is_finding(const json_t *row)
{
	return strcmp(report_get(row, "type"), "finding") == 0;
}

const char *report_rule_title(const json_t *row)
{
	return strcmp(report_get(row, "rule"), "vault-secret") == 0
	               ? "a secret of the vault"
	               : report_get(row, "title");
}

void report_uuid(const json_t *row, unsigned nth, char out[REPORT_UUID])
{
	unsigned char h[16];
	char hex[2 * sizeof(h) + 1], text[80];
	int n = snprintf(text, sizeof(text), "%.64s#%u", report_get(row, "id"), nth);

	crypto_generichash(h, sizeof(h), (const unsigned char *)text,
	                   (unsigned long long)n, NULL, 0);
	h[6] = (unsigned char)((h[6] & 0x0f) | 0x80);
	h[8] = (unsigned char)((h[8] & 0x3f) | 0x80);
	text_hex(h, sizeof(h), hex);
	snprintf(out, REPORT_UUID, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	         hex + 16, hex + 20);
}

void report_time(time_t t, char out[REPORT_TIME])
{
	struct tm tm = { 0 };

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, REPORT_TIME, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		snprintf(out, REPORT_TIME, "1970-01-01T00:00:00");
}
