/* SPDX-License-Identifier: Apache-2.0 */
/* report_sarif - SARIF 2.1.0 (OASIS), as code hosts and editors read it. */
#include <string.h>

#include "report_impl.h"
#include "text.h"

#define PATH_SHOWN ((size_t)8192)
#define URI_MAX    (3 * PATH_SHOWN + 16)

static const struct {
	const char *severity, *level, *score; /* security-severity, as GitHub ranks it */
} levels[] = {
	{"critical", "error",   "9.5"},
	{ "high",    "error",   "8.0"},
	{ "medium",  "warning", "5.5"},
	{ "low",     "note",    "3.0"},
};

static size_t level_of(const json_t *row)
{
	const char *s = report_get(row, "severity");
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(levels) && strcmp(s, levels[i].severity) != 0)
		i++;
	return i;
}

static json_t *message(const char *text)
{
	return json_pack("{s:o}", "text", report_text(text));
}

/* --- rules -------------------------------------------------------------------------- */

static json_t *rule(const json_t *row)
{
	size_t level = level_of(row);

	return json_pack(
		"{s:s, s:o, s:o, s:{s:s}, s:o, s:{s:s, s:s, s:[s, s]}}", "id",
		report_get(row, "rule"), "name", report_text(report_get(row, "rule")),
		"shortDescription", message(report_rule_title(row)),
		"defaultConfiguration", "level", levels[level].level, "help",
		message("A secret that others can read is no secret any more. "
	                "Replace it where it is used, take it out of here, and "
	                "fetch it from the vault at run time."),
		"properties", "security-severity", levels[level].score, "precision",
		strcmp(report_get(row, "confidence"), "low") == 0 ? "medium" : "high",
		"tags", "security", "secret");
}

/* Those that found something; ${index}: id to place. */
static json_t *rules(const struct report *r, json_t *index)
{
	json_t *all = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)r->rows, i, row)
	{
		const char *id = report_get(row, "rule");

		if (json_object_get(index, id) != NULL)
			continue;
		json_object_set_new(index, id,
		                    json_integer((json_int_t)json_array_size(all)));
		json_array_append_new(all, rule(row));
	}
	return all;
}

/* --- results ------------------------------------------------------------------------ */

/* A path is relative to the working directory, or absolute; in an image it is the
 * image's. */
static json_t *artifact(const char *source, const char *path)
{
	char uri[URI_MAX];
	bool absolute = *path == '/' && *source == '\0';
	size_t n = 0, len = strlen(path);

	if (absolute)
		n = (size_t)snprintf(uri, sizeof(uri), "file://");
	while (!absolute && *path == '/') {
		path++;
		len--;
	}
	if (len > PATH_SHOWN)
		len = PATH_SHOWN;
	text_percent(path, len, "/", uri + n);
	return absolute || *source != '\0'
	               ? json_pack("{s:s}", "uri", uri)
	               : json_pack("{s:s, s:s}", "uri", uri, "uriBaseId", "SRCROOT");
}

static json_t *location(const json_t *row)
{
	const char *source = report_get(row, "source");
	json_t *o = json_pack("{s:{s:o, s:{s:I, s:I}}}", "physicalLocation",
	                      "artifactLocation",
	                      artifact(source, report_get(row, "file")), "region",
	                      "startLine", (json_int_t)report_number(row, "line"),
	                      "startColumn", (json_int_t)report_number(row, "column"));

	if (*source != '\0')
		json_object_set_new(o, "logicalLocations",
		                    json_pack("[{s:o, s:s}]", "fullyQualifiedName",
		                              report_text(source), "kind", "resource"));
	if (*report_get(row, "excerpt") != '\0')
		json_object_set_new(
			json_object_get(json_object_get(o, "physicalLocation"), "region"),
			"snippet", message(report_get(row, "excerpt")));
	return o;
}

static json_t *properties(const json_t *row)
{
	static const char *const members[] = {
		"severity",   "confidence",  "checksum", "channel", "source", "layer",
		"visibility", "later_layer", "decoded",  "secret",  "state",
	};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		report_set(o, members[i], report_get(row, members[i]));
	return o;
}

/* What somebody allowed is suppressed; what was judged to be no secret is no result that
 * applies. */
static void set_filtered(json_t *o, const json_t *row)
{
	static const char *const allowed[][2] = {
		{"allow-line",  "inSource"},
		{ "allow-rule", "external"},
		{ "baseline",   "external"},
		{ "suppressed", "external"},
	};
	const char *reason = report_get(row, "reason"),
		   *by = report_get(row, "filtered_by");

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (strcmp(reason, allowed[i][0]) == 0) {
			json_object_set_new(
				o, "suppressions",
				json_pack("[{s:s, s:o}]", "kind", allowed[i][1],
			                  "justification",
			                  report_text(*by != '\0' ? by : reason)));
			return;
		}
	json_object_set_new(o, "kind", json_string("notApplicable"));
	json_object_set_new(o, "level", json_string("none"));
	json_object_set_new(json_object_get(o, "properties"), "filtered",
	                    report_text(reason));
}

static json_t *result(const struct report *r, const json_t *row, const json_t *index)
{
	const char *id = report_get(row, "rule");
	char text[1024];
	json_t *o;

	snprintf(text, sizeof(text), "%.400s in %.500s", report_get(row, "title"),
	         report_get(row, "file"));
	o = json_pack("{s:s, s:O, s:s, s:o, s:[o], s:{s:s}, s:o}", "ruleId", id,
	              "ruleIndex", json_object_get(index, id), "level",
	              levels[level_of(row)].level, "message", message(text), "locations",
	              location(row), "partialFingerprints", "vaultctlScan/v1",
	              report_get(row, "id"), "properties", properties(row));
	if (r->stable)
		json_object_set_new(o, "fingerprints",
		                    json_pack("{s:s}", "vaultctlSecret/v1",
		                              report_get(row, "fingerprint")));
	if (!report_is_finding(row))
		set_filtered(o, row);
	return o;
}

/* --- the run ------------------------------------------------------------------------ */

static json_t *notifications(const struct report *r)
{
	json_t *all = json_array();
	char text[REPORT_SKIPPED];
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)r->skipped, i, row)
	{
		report_skipped(row, text);
		json_array_append_new(all, json_pack("{s:s, s:o}", "level", "warning",
		                                     "message", message(text)));
	}
	return all;
}

static json_t *invocation(const struct report *r)
{
	char time[REPORT_TIME], began[REPORT_TIME + 1], ended[REPORT_TIME + 1];

	report_time(r->begun, time);
	snprintf(began, sizeof(began), "%sZ", time);
	report_time(r->ended, time);
	snprintf(ended, sizeof(ended), "%sZ", time);
	return json_pack("{s:b, s:s, s:s, s:o}", "executionSuccessful",
	                 json_is_true(json_object_get(r->summary, "complete")),
	                 "startTimeUtc", began, "endTimeUtc", ended,
	                 "toolExecutionNotifications", notifications(r));
}

void report_sarif(FILE *out, const struct report *r)
{
	json_t *index = json_object(), *all = rules(r, index), *results = json_array(),
	       *o;
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)r->rows, i, row)
		json_array_append_new(results, result(r, row, index));
	o = json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:[o], s:{s:{s:o}}, s:o}]}",
	              "$schema", "https://json.schemastore.org/sarif-2.1.0.json",
	              "version", "2.1.0", "runs", "tool", "driver", "name",
	              "vaultctl scan", "version", r->version, "rules", all, "invocations",
	              invocation(r), "originalUriBaseIds", "SRCROOT", "description",
	              message("the directory that the scan was started in"), "results",
	              results);
	report_dump(out, o);
	json_decref(o);
	json_decref(index);
}
