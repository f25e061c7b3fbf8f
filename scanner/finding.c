/* SPDX-License-Identifier: Apache-2.0 */
#include "finding.h"

#include "util.h"

const char *scan_channel_name(enum scan_channel c)
{
	static const char *const names[CHANNEL__MAX] = {
		"file",       "env",          "label",        "history",      "build-arg",
		"cmd",        "healthcheck",  "service-spec", "swarm-config", "compose",
		"dockerfile", "proc-environ", "proc-cmdline", "git",          "stdin",
	};

	return c < CHANNEL__MAX ? names[c] : "?";
}

const char *confidence_name(enum confidence c)
{
	return c == CONFIDENCE_HIGH ? "high" : c == CONFIDENCE_MEDIUM ? "medium" : "low";
}

const char *severity_name(enum severity s)
{
	static const char *const names[] = { "low", "medium", "high", "critical" };

	return s < ARRAY_LEN(names) ? names[s] : "?";
}

const char *validity_name(enum validity v)
{
	return v == VALIDITY_VALID ? "valid" : v == VALIDITY_INVALID ? "invalid" : "none";
}

const char *drop_name(enum drop d)
{
	static const char *const names[DROP__MAX] = {
		"none",      "allow-rule", "allow-line", "placeholder",
		"lookalike", "structure",  "entropy",    "name",
		"context",   "overlap",    "baseline",   "suppressed",
	};

	return d < DROP__MAX ? names[d] : "?";
}
