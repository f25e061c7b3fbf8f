/* SPDX-License-Identifier: Apache-2.0 */
/* db_call - what a rotator is told of an account that is made for a while. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "db_lease.h"
#include "text.h"

const char *db_expiration(struct arena *a, int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	char text[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S+0000", &tm) == 0)
		return NULL;
	return arena_str(a, text);
}

static struct value *pending(struct arena *a, const struct db_call *call)
{
	struct value *v = value_object(a), *fields = value_object(a);

	value_set_str(a, fields, "username", call->username);
	if (call->password != NULL)
		value_set_str(a, fields, "password", call->password);
	if (call->expiration != NULL)
		value_set_str(a, fields, "expiration", call->expiration);
	value_set_int(a, v, "version", 1);
	value_set(v, "fields", fields);
	return v;
}

static struct value *overlay(struct arena *a, const struct db_call *call)
{
	struct value *o = value_object(a);

	value_set(o, "statements", value_copy(a, call->statements));
	return o;
}

int db_call(struct core *c, struct arena *a, const struct db_call *call, struct err *e)
{
	struct step_order order = { .owner = call->owner,
		                    .rotator = call->t->rotator,
		                    .timeout_ms = call->t->timeout_ms };
	char *attempt = arena_alloc(a, 2 * STEP_ID + 1);
	struct value *request, *admin;
	int rc = target_admin(c, a, call->t, &admin, e);

	if (rc != ERR_OK)
		return rc;
	request = target_request(a, call->t, call->op, overlay(a, call));
	if (attempt == NULL || request == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	text_hex(call->id, STEP_ID, attempt);
	value_set_str(a, request, "attempt", attempt);
	value_set_str(a, request, "secret", call->lease_id);
	value_set(request, "admin", admin);
	value_set(request, "pending", pending(a, call));
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(order.id, call->id, sizeof(order.id));
	order.request = request;
	return step_call(c, &order, e);
}
