/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_scan_out - findings as a table, one JSON document, or JSON lines. */
#include <stdio.h>
#include <string.h>

#include "cmd_scan.h"
#include "out.h"
#include "text.h"

#define SHOWN_MAX 8192

/* Names come from file systems and archives: whatever is no UTF-8 becomes U+FFFD. */
static json_t *text(const char *s)
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

static void set_text(json_t *o, const char *name, const char *value)
{
	if (value != NULL && *value != '\0')
		json_object_set_new(o, name, text(value));
}

static json_t *finding_json(const struct finding *f, const struct scan_place *at)
{
	char fingerprint[2 * sizeof(f->fingerprint) + 1];
	json_t *o = json_object();

	text_hex(f->fingerprint, sizeof(f->fingerprint), fingerprint);
	set_text(o, "type", f->drop == DROP_NONE ? "finding" : "filtered");
	set_text(o, "rule", f->rule != NULL ? f->rule->id : "vault-secret");
	set_text(o, "title", f->rule != NULL ? f->rule->title : "a secret of the vault");
	set_text(o, "severity", severity_name(f->severity));
	set_text(o, "confidence", confidence_name(f->confidence));
	set_text(o, "checksum", validity_name(f->validity));
	if (f->drop != DROP_NONE)
		set_text(o, "reason", drop_name(f->drop));
	set_text(o, "channel", scan_channel_name(at->channel));
	set_text(o, "source", at->source);
	set_text(o, "layer", at->layer);
	if (*at->layer != '\0')
		set_text(o, "visibility", scan_visibility_name(at->visibility));
	set_text(o, "later_layer", at->later);
	set_text(o, "file", at->path);
	json_object_set_new(o, "line", json_integer((json_int_t)f->line));
	json_object_set_new(o, "column", json_integer((json_int_t)f->column));
	set_text(o, "decoded", f->decoded);
	set_text(o, "excerpt", f->excerpt);
	set_text(o, "fingerprint", fingerprint);
	return o;
}

/* Now, or at the end. */
static void put(struct scan_run *r, json_t *list, json_t *o)
{
	if (r->format != SCAN_JSONL) {
		json_array_append_new(list, o);
		return;
	}
	(void)!out_line(stdout, o); /* main looks at the stream itself */
	json_decref(o);
}

static void on_finding(void *ctx, const struct finding *f, const struct scan_place *at)
{
	struct scan_run *r = ctx;
	char id[TEXT_BASE64_LEN(LEAK_ID) + 1];

	if (f->known == NULL || f->drop != DROP_NONE) {
		put(r, r->rows, finding_json(f, at));
		return;
	}
	text_base64(f->known, LEAK_ID, id);
	json_array_append_new(r->known, finding_json(f, at));
	json_array_append_new(r->ids, json_string(id));
}

static void name(json_t *row, const json_t *found)
{
	static const char *const members[][2] = {
		{"path",     "secret" },
		{ "version", "version"},
		{ "field",   "field"  },
		{ "state",   "state"  },
	};
	char title[SHOWN_MAX];
	const char *path = json_string_value(json_object_get(found, "path"));
	const char *state = json_string_value(json_object_get(found, "state"));

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (json_object_get(found, members[i][0]) != NULL)
			json_object_set(row, members[i][1],
			                json_object_get(found, members[i][0]));
	if (path == NULL)
		return;
	snprintf(title, sizeof(title), "the vault's secret %s (%s)", path,
	         state != NULL ? state : "");
	json_object_set_new(row, "title", text(title));
}

static bool rotate_one(struct scan_run *r, const char *path)
{
	struct err e = { 0 };
	json_t *data = NULL;
	int rc = scan_vault_rotate(r->vault, path, &data, &e);
	const char *state = json_string_value(json_object_get(data, "state"));

	if (rc != ERR_OK)
		say("%s: not rotated: %s", path, e.msg);
	else
		say("%s: rotated: version %lld, %s", path,
		    (long long)json_integer_value(json_object_get(data, "version")),
		    state != NULL ? state : "?");
	json_decref(data);
	return rc == ERR_OK;
}

/* Each path once, if what was found is its newest version. */
static bool rotate_all(struct scan_run *r)
{
	json_t *done = json_object(), *row;
	bool ok = true;
	size_t i;

	json_array_foreach(r->known, i, row)
	{
		const char *path = json_string_value(json_object_get(row, "secret"));
		const char *state = json_string_value(json_object_get(row, "state"));

		if (path == NULL || state == NULL || strcmp(state, "current") != 0 ||
		    json_object_get(done, path) != NULL)
			continue;
		json_object_set_new(done, path, json_true());
		ok &= rotate_one(r, path);
	}
	json_decref(done);
	return ok;
}

bool scan_out_known(struct scan_run *r, bool rotate)
{
	struct err e = { 0 };
	json_t *found = NULL, *row;
	bool ok = true;
	size_t i;

	if (json_array_size(r->ids) > 0 &&
	    scan_vault_names(r->vault, r->ids, &found, &e) != ERR_OK) {
		say("the vault does not name what was found: %s", e.msg);
		ok = false;
	}
	json_array_foreach(r->known, i, row) name(row, json_array_get(found, i));
	if (ok && rotate)
		ok = rotate_all(r);
	json_array_foreach(r->known, i, row) put(r, r->rows, json_incref(row));
	json_decref(found);
	return ok;
}

static void on_skipped(void *ctx, const struct scan_skip *s)
{
	struct scan_run *r = ctx;
	json_t *o = json_object();

	set_text(o, "type", "not_scanned");
	set_text(o, "source", s->source);
	set_text(o, "layer", s->layer);
	set_text(o, "path", s->path);
	set_text(o, "reason", s->why);
	put(r, r->skipped, o);
}

static void on_sandbox(void *ctx, const char *missing)
{
	struct scan_run *r = ctx;

	/* Every worker says it. */
	if (!r->sandbox_said)
		say("the sandbox of the scanner is incomplete here: no %s", missing);
	r->sandbox_said = true;
}

const struct scan_listener *scan_out_listener(void)
{
	static const struct scan_listener sink = { .finding = on_finding,
		                                   .skipped = on_skipped,
		                                   .sandbox = on_sandbox };

	return &sink;
}

static json_t *summary(const struct scan_totals *t, bool failed)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "type", "summary",
	                 "findings", (json_int_t)t->findings, "filtered",
	                 (json_int_t)t->filtered, "not_scanned", (json_int_t)t->skipped,
	                 "bytes", (json_int_t)t->bytes, "blobs", (json_int_t)t->blobs,
	                 "complete", t->skipped == 0 && !failed);
}

static void table(struct scan_run *r, const struct scan_totals *t, bool failed)
{
	/* clang-format off */
	static const struct column columns[] = {
		{ "SEVERITY", "severity" },
		{ "RULE",     "rule" },
		{ "FILE",     "file" },
		{ "LINE",     "line" },
		{ "SOURCE",   "source" },
		{ "STATE",    "visibility" },
		{ "SECRET",   "secret" },
		{ "EXCERPT",  "excerpt" },
	};
	static const struct column missing[] = {
		{ "NOT SCANNED", "path" },
		{ "REASON",      "reason" },
	};
	/* clang-format on */

	if (json_array_size(r->rows) > 0)
		out_table(r->rows, columns, ARRAY_LEN(columns));
	if (json_array_size(r->skipped) > 0)
		out_table(r->skipped, missing, ARRAY_LEN(missing));
	say("%llu findings, %llu filtered, %llu not scanned; %llu bytes searched%s",
	    (unsigned long long)t->findings, (unsigned long long)t->filtered,
	    (unsigned long long)t->skipped, (unsigned long long)t->bytes,
	    t->skipped > 0 || failed ? ": INCOMPLETE" : "");
}

void scan_out_end(struct scan_run *r, const struct scan_totals *totals, bool failed)
{
	json_t *o = summary(totals, failed);

	if (r->format == SCAN_TABLE) {
		table(r, totals, failed);
	} else if (r->format == SCAN_JSONL) {
		(void)!out_line(stdout, o);
	} else {
		json_object_set(o, "results", r->rows);
		json_object_set(o, "skipped", r->skipped);
		out_json(r->c, o);
	}
	json_decref(o);
}
