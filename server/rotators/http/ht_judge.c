/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "ht.h"

#define SAID_MAX 200

enum answer_class ht_default_class(long status, bool trying)
{
	if (status == 401 || (status == 403 && !trying))
		return CLASS_AUTH;
	if (status == 408 || status == 425 || status == 429 || status >= 500)
		return CLASS_RETRYABLE;
	/* A credential that is barred, or a request that is: nothing is known of it. */
	return status == 403 ? CLASS_RETRYABLE : CLASS_PERMANENT;
}

static bool has_status(const json_t *list, long status)
{
	if (json_is_integer(list))
		return json_integer_value(list) == status;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_integer_value(json_array_get(list, i)) == status)
			return true;
	return false;
}

static bool expected_status(const struct ht_plan *p, long status)
{
	const json_t *list = json_object_get(json_object_get(p->spec, "expect"),
	                                     "status");

	return list != NULL ? has_status(list, status) : status >= 200 && status < 300;
}

/* Texts of the configuration may have {{…}}; everything else is compared as it is. */
static int expected_json(const struct ht_scope *s, const struct ht_plan *p,
                         const json_t *reply, bool *ok, struct answer *a)
{
	const json_t *want = json_object_get(json_object_get(p->spec, "expect"), "json");
	const char *pointer;
	json_t *v, *filled;
	int rc;

	*ok = true;
	json_object_foreach((json_t *)(uintptr_t)want, pointer, v)
	{
		if ((rc = ht_fill_json(s, v, &filled, a)) != 0)
			return rc;
		*ok = *ok && json_equal(filled, ht_pointer(reply, pointer)) != 0;
		json_decref(filled);
	}
	return 0;
}

static int class_named(const char *name, enum answer_class *out)
{
	static const struct {
		const char *name;
		enum answer_class class;
	} names[] = {
		{"retryable",       CLASS_RETRYABLE},
		{ "rejected_value", CLASS_REJECTED },
		{ "auth",           CLASS_AUTH     },
		{ "permanent",      CLASS_PERMANENT},
	};

	for (size_t i = 0; name != NULL && i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i].name) != 0)
			continue;
		*out = names[i].class;
		return 0;
	}
	return -1;
}

/* "422", then "4xx", of the request's classes; "json" for a body that is not as expected.
 */
static int class_of(const struct ht_plan *p, long status, bool body, bool trying,
                    enum answer_class *out, struct answer *a)
{
	const json_t *classes = json_object_get(p->spec, "classes"), *v;
	char exact[24], group[24];

	snprintf(exact, sizeof(exact), "%ld", status);
	snprintf(group, sizeof(group), "%ldxx", status / 100);
	v = json_object_get(classes, body ? "json" : exact);
	if (v == NULL && !body)
		v = json_object_get(classes, group);
	*out = body ? CLASS_PERMANENT : ht_default_class(status, trying);
	if (v == NULL || class_named(json_string_value(v), out) == 0)
		return 0;
	return answer_fail(a, CLASS_PERMANENT,
	                   "config.requests.%s: 'classes' has one that is unknown",
	                   p->name);
}

/* What the target says about it, if the configuration knows where.  Values of the request
 * are taken out when the reply is written. */
static const char *said(const struct ht_scope *s, const struct ht_plan *p,
                        const json_t *reply)
{
	const char *at = json_string_value(json_object_get(p->spec, "message"));
	const char *text = at != NULL ? ht_as_text(s->r->arena, ht_pointer(reply, at))
	                              : NULL;

	return text != NULL ? text : "";
}

int ht_judge(const struct ht_scope *s, const struct ht_plan *p,
             const struct ht_reply *reply, bool trying, struct answer *a)
{
	bool status = expected_status(p, reply->status), json;
	enum answer_class class;
	const char *text;
	int rc = expected_json(s, p, reply->json, &json, a);

	if (rc != 0 || (status && json))
		return rc;
	if (has_status(json_object_get(p->spec, "noop"), reply->status))
		return answer_noop(a, "the target answered %s with %ld", p->name,
		                   reply->status);
	if ((rc = class_of(p, reply->status, status, trying, &class, a)) != 0)
		return rc;
	if (class == CLASS_RETRYABLE)
		a->retry_after_ms = reply->retry_after_ms;
	text = said(s, p, reply->json);
	return answer_fail(a, class, "%s: the target answered %ld%s%s%.*s", p->name,
	                   reply->status, status ? ", not with what is expected" : "",
	                   text[0] != '\0' ? ": " : "", SAID_MAX, text);
}

int ht_run(const struct ht_scope *s, const json_t *spec, const char *name, bool trying,
           struct ht_reply *reply, struct answer *a)
{
	struct ht_plan p;
	int rc;

	*reply = (struct ht_reply){ 0 };
	if ((rc = ht_plan_read(s, spec, name, &p, a)) != 0 ||
	    (rc = ht_call(s->r, &p, reply, a)) != 0)
		return rc;
	return ht_judge(s, &p, reply, trying, a);
}
