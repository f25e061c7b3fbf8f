/* SPDX-License-Identifier: Apache-2.0 */
#include "host_report.h"

#include <string.h>

#include "arena.h"

int host_report_load(struct core *c, struct arena *a,
                     const unsigned char host_id[HOST_ID], struct host_report *out,
                     struct err *e)
{
	const struct value *b;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = store_get(c, a, KIND_REPORT, host_id, HOST_ID, &out->o, e);
	if (rc == ERR_NOENT) {
		out->o = (struct store_object){ .kind = KIND_REPORT, .id_len = HOST_ID };
		memcpy(out->o.id, host_id, HOST_ID);
		out->generation = out->boot_ms = -1;
		out->last_error = "";
	}
	if (rc != ERR_OK)
		return rc;
	b = out->o.body;
	out->generation = value_int_or(b, "generation", 0);
	out->boot_ms = value_int_or(b, "boot", 0);
	out->at_ms = value_int_or(b, "at", 0);
	out->rev = value_int_or(b, "rev", 0);
	out->lag_ms = value_int_or(b, "lag", 0);
	out->stale = value_int_or(b, "stale", 0);
	out->last_error = value_cstr_or(a, b, "error", "");
	out->secrets = value_get(b, "secrets");
	if (out->secrets == NULL || out->secrets->type != V_ARRAY)
		return err_set(e, ERR_INTEGRITY, "a host's report is malformed");
	return ERR_OK;
}

const struct value *host_report_of(const struct host_report *rep, const char *path)
{
	for (const struct value *s = rep->secrets != NULL ? rep->secrets->first : NULL;
	     s != NULL; s = s->next)
		if (value_is_str(value_get(s, "path"), path))
			return value_get(s, "containers");
	return NULL;
}

void host_report_show(struct arena *a, const struct host_report *rep, struct value *out)
{
	char text[CLOCK_RFC3339_MAX];

	if (rep->o.version == 0) {
		value_set(out, "reported", value_null(a));
		value_set(out, "lag_ms", value_null(a));
		value_set(out, "stale", value_null(a));
		value_set(out, "last_error", value_null(a));
		return;
	}
	clock_rfc3339(rep->at_ms, text);
	value_set_str(a, out, "reported", arena_str(a, text));
	value_set_int(a, out, "lag_ms", rep->lag_ms);
	value_set_int(a, out, "stale", rep->stale);
	value_set_str(a, out, "last_error", rep->last_error);
}
