/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "ht.h"

static struct ht_scope scope_of(struct request *r)
{
	return (struct ht_scope){ .r = r,
		                  .current = &r->current,
		                  .pending = &r->pending };
}

/* Is this entry of the list one of ours?  By all pointers of find.match. */
static int matches(const struct ht_scope *s, const json_t *match, const json_t *item,
                   bool *yes, struct answer *a)
{
	const char *pointer;
	json_t *v, *filled;
	int rc;

	*yes = true;
	json_object_foreach((json_t *)(uintptr_t)match, pointer, v)
	{
		if ((rc = ht_fill_json(s, v, &filled, a)) != 0)
			return rc;
		*yes = *yes && json_equal(filled, ht_pointer(item, pointer)) != 0;
		json_decref(filled);
	}
	return 0;
}

/* {{found.…}} of one entry: find.fields. */
static int found_of(struct request *r, const json_t *find, const json_t *item,
                    json_t **out, struct answer *a)
{
	const char *name;
	json_t *pointer;

	if ((*out = json_object()) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	json_object_foreach(json_object_get(find, "fields"), name, pointer)
	{
		const char *p = json_string_value(pointer);
		const char *text = p != NULL ? ht_as_text(r->arena, ht_pointer(item, p))
		                             : NULL;

		if (text == NULL ||
		    json_object_set_new(*out, name, json_string(text)) != 0) {
			json_decref(*out);
			*out = NULL;
			return answer_fail(a, CLASS_PERMANENT,
			                   "find: an entry has no text for '%.40s'",
			                   name);
		}
	}
	return 0;
}

static int delete_one(const struct ht_scope *s, const json_t *find, const json_t *item,
                      struct answer *a)
{
	AUTO_REPLY reply = { 0 };
	struct ht_scope with = *s;
	json_t *found;
	int rc = found_of(s->r, find, item, &found, a);

	if (rc != 0)
		return rc;
	with.found = found;
	rc = ht_run(&with, json_object_get(find, "delete"), "create.find.delete", false,
	            &reply, a);
	json_decref(found);
	return rc;
}

static const json_t *list_of(const json_t *find, const struct ht_reply *reply)
{
	const char *at = json_string_value(json_object_get(find, "list"));

	return ht_pointer(reply->json, at != NULL ? at : "");
}

/* A list without a rule would be emptied: the attempt has to be in it. */
static int check_find(const json_t *find, struct answer *a)
{
	const json_t *match = json_object_get(find, "match");
	char *text = json_dumps(match != NULL ? match : find, JSON_ENCODE_ANY);
	bool tagged = match != NULL && text != NULL && strstr(text, "attempt") != NULL;

	answer_release(text);
	if (json_object_size(match) > 0 && tagged &&
	    json_is_object(json_object_get(find, "delete")))
		return 0;
	return answer_fail(a, CLASS_PERMANENT,
	                   "config.requests.create.find needs a 'match' with {{attempt}} "
	                   "and a 'delete'");
}

static int sweep_list(const struct ht_scope *s, const json_t *find, const json_t *list,
                      size_t *n, struct answer *a)
{
	bool yes;
	int rc;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		if ((rc = matches(s, json_object_get(find, "match"), item, &yes, a)) != 0)
			return rc;
		if (!yes)
			continue;
		if (*n == HT_FOUND_MAX)
			return answer_fail(a, CLASS_PERMANENT,
			                   "find: over %u entries of one attempt",
			                   HT_FOUND_MAX);
		if ((rc = delete_one(s, find, item, a)) != 0)
			return rc;
		(*n)++;
	}
	return 0;
}

int ht_sweep(struct request *r, size_t *n, struct answer *a)
{
	AUTO_REPLY reply = { 0 };
	struct ht_scope s = scope_of(r);
	const json_t *find = json_object_get(ht_spec(r, "create"), "find"), *list;
	int rc;

	*n = 0;
	if (find == NULL)
		return 0;
	if ((rc = check_find(find, a)) != 0 ||
	    (rc = ht_run(&s, find, "create.find", false, &reply, a)) != 0)
		return rc;
	if (a->noop) { /* "there are none" */
		a->noop = false;
		return 0;
	}
	list = list_of(find, &reply);
	if (!json_is_array(list))
		return answer_fail(a, CLASS_PERMANENT,
		                   "find: the reply has no list where config says");
	rc = sweep_list(&s, find, list, n, a);
	a->noop = false;
	return rc;
}

/* What is made has to be taken whole: a value that is not told is lost. */
static int take(struct request *r, const json_t *fields, const json_t *reply,
                struct answer *a)
{
	const char *name;
	json_t *pointer;
	int rc;

	json_object_foreach((json_t *)(uintptr_t)fields, name, pointer)
	{
		const char *p = json_string_value(pointer);
		const char *text = p != NULL ? ht_as_text(r->arena, ht_pointer(reply, p))
		                             : NULL;

		if (text == NULL)
			return answer_fail(
				a, CLASS_PERMANENT,
				"create: the reply has no text for field '%.40s'", name);
		if ((rc = answer_field(a, name, text)) != 0)
			return rc;
	}
	return 0;
}

int ht_create(struct request *r, struct answer *a)
{
	AUTO_REPLY reply = { 0 };
	struct ht_scope s = scope_of(r);
	const json_t *spec = ht_spec(r, "create");
	const json_t *fields = json_object_get(spec, "fields");
	bool repeats = json_is_true(json_object_get(spec, "idempotent"));
	enum strategy strategy;
	size_t n = 0;
	int rc;

	if ((rc = rotator_strategy(r, &strategy, a)) != 0)
		return rc;
	if (strategy != STRATEGY_DUAL_KEY)
		return answer_fail(
			a, CLASS_PERMANENT,
			"only with strategy dual_key the target makes the value");
	if (json_object_size(fields) == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.requests.create has no 'fields'");
	if (!repeats && json_object_get(spec, "find") == NULL)
		return answer_fail(
			a, CLASS_PERMANENT,
			"config.requests.create has no 'find': a second call "
			"would make a second key (unless 'idempotent' is true)");
	if ((rc = ht_sweep(r, &n, a)) != 0)
		return rc;
	if (n > 0)
		rotator_note(r, "create: deleted what an earlier call had made");
	if ((rc = ht_run(&s, spec, "create", false, &reply, a)) != 0)
		return rc;
	a->noop = false;
	return take(r, fields, reply.json, a);
}
