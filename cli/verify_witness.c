/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_witness - the file that "vaultctl audit witnesses FILE" writes: JSON, with an
 * array "witnesses" of {host, key, checkpoint, signature}, or the API's whole answer.
 */
#include <jansson.h>
#include <string.h>

#include "arena.h"
#include "text.h"
#include "verify.h"

static bool take_bytes(const json_t *v, const char *name, unsigned char *out, size_t n)
{
	const json_t *m = json_object_get(v, name);

	return json_is_string(m) &&
	       text_unbase64(json_string_value(m), json_string_length(m), out, n) ==
	               (long)n;
}

static int take_one(struct arena *a, const json_t *v, struct verify_witness *out,
                    struct err *e)
{
	const json_t *host = json_object_get(v, "host");
	const json_t *note = json_object_get(v, "checkpoint");

	if (!json_is_string(host) || !json_is_string(note) ||
	    json_string_length(note) >= NOTE_CHECKPOINT_MAX ||
	    !text_printable(json_string_value(host), json_string_length(host)) ||
	    !take_bytes(v, "key", out->key, sizeof(out->key)) ||
	    !take_bytes(v, "signature", out->signature, sizeof(out->signature)))
		return err_set(e, ERR_INVALID, "a line of the witnesses is malformed");
	out->host = arena_str(a, json_string_value(host));
	out->note = arena_str(a, json_string_value(note));
	out->n = json_string_length(note);
	return out->host != NULL && out->note != NULL
	               ? ERR_OK
	               : err_set(e, ERR_NOMEM, "out of memory");
}

static int take_all(struct arena *a, const json_t *list, struct verify_witness **out,
                    size_t *count, struct err *e)
{
	json_t *v;
	size_t i;
	int rc;

	*count = json_array_size(list);
	*out = arena_alloc(a, (*count + 1) * sizeof(**out));
	if (*out == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	json_array_foreach(list, i, v) if ((rc = take_one(a, v, &(*out)[i], e)) !=
	                                   ERR_OK) return rc;
	return ERR_OK;
}

int verify_read_witnesses(struct arena *a, const char *text, size_t n,
                          struct verify_witness **out, size_t *count, struct err *e)
{
	json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *data = json_object_get(doc, "data");
	const json_t *list = json_object_get(data != NULL ? data : doc, "witnesses");
	int rc = json_is_array(list)
	                 ? take_all(a, list, out, count, e)
	                 : err_set(e, ERR_INVALID, "that is no list of witnesses");

	json_decref(doc);
	return rc;
}
