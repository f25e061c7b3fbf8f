/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_JSON_TEXT_H
#define SCANNER_JSON_TEXT_H
/*
 * json_text - the texts of a JSON document as blobs, decoded, each under its JSON
 * pointer: "config#/config/Env/3".
 */
#include <jansson.h>

#include "scanner/worker/work.h"

/** json_text_load(w, name, p, n): NULL, and reported, if it is no JSON (or has a member
 * twice: readers would not agree on it). */
json_t *json_text_load(struct work *w, const char *name, const void *p, size_t n)
	MUST_CHECK;

/* Where in the document one is. */
struct json_at {
	struct work *w;
	char path[1024];
	size_t n;
};
/** json_at_begin(at, w, document): "document#". */
void json_at_begin(struct json_at *at, struct work *w, const char *document);
/** json_at_down(at, key): "/key", escaped; returns what json_at_up() wants. */
size_t json_at_down(struct json_at *at, const char *key);
size_t json_at_down_index(struct json_at *at, size_t i);
void json_at_up(struct json_at *at, size_t n);

/** json_text_all(at, channel, v): every text below ${v}; members of objects as
 * "key=value", so that a name that tells is seen. */
void json_text_all(struct json_at *at, enum scan_channel channel, const json_t *v);
/** json_text_member(at, channel, key, v): the same for the member ${key}, where ${at} is.
 * The words of a command ("Cmd", "Args" …) are one text: an option and its value belong
 * together. */
void json_text_member(struct json_at *at, enum scan_channel channel, const char *key,
                      const json_t *v);

#endif
