/* SPDX-License-Identifier: Apache-2.0 */
/* report_gitlab - GitLab's report of secret detection, schema 15.0.x.  It has no place
 * for layers and sources: these are in the details. */
#include <ctype.h>
#include <string.h>

#include "report_impl.h"

#define NO_COMMIT "0000000" /* what GitLab's own analyzer gives for files as they are */

static json_t *tool(const char *version)
{
	return json_pack("{s:s, s:s, s:s, s:{s:s}}", "id", "vaultctl-scan", "name",
	                 "vaultctl scan", "version", version, "vendor", "name", "vaultd");
}

static void detail(json_t *all, const json_t *row, const char *member, const char *name)
{
	const char *s = report_get(row, member);

	if (*s != '\0')
		json_object_set_new(all, member,
		                    json_pack("{s:s, s:s, s:o}", "name", name, "type",
		                              "text", "value", report_text(s)));
}

static json_t *details(const json_t *row)
{
	static const char *const members[][2] = {
		{"channel",      "Channel"         },
		{ "source",      "Source"          },
		{ "layer",       "Layer"           },
		{ "visibility",  "In the container"},
		{ "later_layer", "Hidden by layer" },
		{ "decoded",     "Decoded"         },
		{ "confidence",  "Confidence"      },
		{ "checksum",    "Checksum"        },
		{ "secret",      "Secret"          },
		{ "state",       "State"           },
		{ "excerpt",     "Excerpt"         },
	};
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		detail(all, row, members[i][0], members[i][1]);
	return all;
}

static json_t *location(const json_t *row)
{
	bool git = strcmp(report_get(row, "channel"), "git") == 0;
	const char *commit = git ? report_get(row, "source") : "";

	return json_pack("{s:o, s:I, s:I, s:{s:o}}", "file",
	                 report_text(report_get(row, "file")), "start_line",
	                 (json_int_t)report_number(row, "line"), "end_line",
	                 (json_int_t)report_number(row, "line"), "commit", "sha",
	                 report_text(*commit != '\0' ? commit : NO_COMMIT));
}

static json_t *vulnerability(const json_t *row, unsigned nth)
{
	char id[REPORT_UUID], severity[16], name[256];
	const char *rule = report_get(row, "rule");

	report_uuid(row, nth, id);
	snprintf(severity, sizeof(severity), "%s", report_get(row, "severity"));
	severity[0] = (char)toupper((unsigned char)severity[0]);
	snprintf(name, sizeof(name), "%.200s", report_rule_title(row));
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:[{s:s, s:o, s:s}], s:o, s:o}", "id",
	                 id, "category", "secret_detection", "name", report_text(name),
	                 "description", report_text(report_get(row, "title")), "severity",
	                 severity, "identifiers", "type", "vaultctl_scan_rule", "name",
	                 report_text(rule), "value", rule, "location", location(row),
	                 "details", details(row));
}

/* Two findings may look alike; their ids may not.  Rows are sorted, so that those of one
 * file are near each other, but not next to each other. */
static unsigned nth(json_t *seen, const json_t *row)
{
	const char *id = report_get(row, "id");
	json_int_t n = json_integer_value(json_object_get(seen, id));

	json_object_set_new(seen, id, json_integer(n + 1));
	return (unsigned)n;
}

static json_t *messages(const struct report *r)
{
	json_t *all = json_array();
	char text[REPORT_SKIPPED];
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)r->skipped, i, row)
	{
		report_skipped(row, text);
		json_array_append_new(all, json_pack("{s:s, s:o}", "level", "warn",
		                                     "value", report_text(text)));
	}
	return all;
}

void report_gitlab(FILE *out, const struct report *r)
{
	char began[REPORT_TIME], ended[REPORT_TIME];
	bool complete = json_is_true(json_object_get(r->summary, "complete"));
	json_t *all = json_array(), *seen = json_object(), *o;
	const json_t *row;
	size_t i;

	report_time(r->begun, began);
	report_time(r->ended, ended);
	json_array_foreach((json_t *)r->rows, i, row) if (report_is_finding(row))
		json_array_append_new(all, vulnerability(row, nth(seen, row)));
	o = json_pack("{s:s, s:{s:o, s:o, s:s, s:s, s:s, s:s, s:o}, s:o}", "version",
	              "15.0.2", "scan", "analyzer", tool(r->version), "scanner",
	              tool(r->version), "type", "secret_detection", "start_time", began,
	              "end_time", ended, "status", complete ? "success" : "failure",
	              "messages", messages(r), "vulnerabilities", all);
	report_dump(out, o);
	json_decref(o);
	json_decref(seen);
}
