/* SPDX-License-Identifier: Apache-2.0 */
/* api_rotator - which rotators there are, and what they say of themselves. */
#include <string.h>

#include "arena.h"
#include "rng.h"
#include "route.h"
#include "step.h"
#include "text.h"

#define DESCRIBE_MS 10000

static void set_sha256(struct req *r, struct value *out, const unsigned char *sum)
{
	char *hex = sum != NULL ? arena_alloc(r->a, 65) : NULL;

	if (hex != NULL)
		text_hex(sum, 32, hex);
	value_set_str(r->a, out, "sha256", hex);
}

static void set_configured(struct req *r, const struct value *row, struct value *out)
{
	const struct value *pin = value_get(row, "sha256");

	value_set_str(r->a, out, "path", value_cstr_or(r->a, row, "path", ""));
	value_set_bool(r->a, out, "builtin", value_bool_or(row, "builtin", false));
	value_set_bool(r->a, out, "pinned", pin != NULL && pin->type == V_BYTES);
	value_set_int(r->a, out, "timeout", value_int_or(row, "timeout_ms", 0) / 1000);
}

static int h_list(struct req *r)
{
	struct value *keys = value_array(r->a), *info = value_object(r->a), *data;

	for (const struct value *row = step_rotators(r->core)->first; row != NULL;
	     row = row->next) {
		const char *name = value_cstr_or(r->a, row, "name", "");
		struct value *one = value_object(r->a);

		set_configured(r, row, one);
		value_add(keys, value_str(r->a, name));
		value_set(info, name, one);
	}
	data = reply_data(r);
	value_set(data, "keys", keys);
	value_set(data, "key_info", info);
	return ERR_OK;
}

static int ask(struct req *r, unsigned char id[STEP_ID])
{
	struct value *request = value_object(r->a);
	char attempt[2 * STEP_ID + 1];
	struct step_order o = {
		.owner = STEP_FOR_REQUEST,
		.rotator = r->param[0].text,
		.request = request,
		.timeout_ms = DESCRIBE_MS,
	};

	rng_bytes(id, STEP_ID);
	memcpy(o.id, id, STEP_ID);
	text_hex(id, STEP_ID, attempt);
	value_set_int(r->a, request, "v", 1);
	value_set_str(r->a, request, "op", "describe");
	value_set_str(r->a, request, "attempt", arena_str(r->a, attempt));
	value_set_int(r->a, request, "deadline_ms", DESCRIBE_MS);
	value_set(request, "config", value_object(r->a));
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	return step_call(r->core, &o, &r->e);
}

static int answer(struct req *r, const struct value *row, const struct step_result *res)
{
	const char *name = r->param[0].text;
	struct value *data;

	if (res->outcome == STEP_UNKNOWN)
		return req_fail(r, ERR_UNREACHABLE, "rotator \"%.64s\": %.150s", name,
		                res->reason);
	if (res->status == STEP_ERROR || res->describe == NULL)
		return req_fail(r, ERR_UNREACHABLE,
		                "rotator \"%.64s\" does not describe itself: %.100s",
		                name, res->message);
	data = reply_data(r);
	value_set_str(r->a, data, "name", name);
	set_configured(r, row, data);
	set_sha256(r, data, res->sha256);
	value_set(data, "describe", value_copy(r->a, res->describe));
	return ERR_OK;
}

static int h_describe(struct req *r)
{
	const struct value *row = step_rotator(r->core, r->param[0].text);
	unsigned char *id = r->park_state;
	struct step_result res;
	int rc;

	if (row == NULL)
		return ERR_OK;
	if (id == NULL) {
		if ((id = arena_alloc(r->a, STEP_ID)) == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if ((rc = ask(r, id)) != ERR_OK)
			return rc;
		r->park_state = id;
	}
	rc = step_take(r->core, r->a, id, &res);
	if (rc == ERR_OK)
		return answer(r, row, &res);
	if (rc == ERR_NOENT && step_under_way(r->core, id))
		return req_park(r, WAIT_STEP, id, INT64_MAX);
	return req_fail(r, ERR_UNREACHABLE, "the rotator's answer was lost");
}

static const struct route rows[] = {
	{"system",  M_LIST, "rotation/rotators",       0, NULL, h_list,     NULL,
         "rotators that are configured"            },
	{ "system", M_GET,  "rotation/rotators/:name", 0, NULL, h_describe, NULL,
         "what a rotator can do, as it says itself"},
};

const struct route_table routes_rotator = { rows, ARRAY_LEN(rows) };
