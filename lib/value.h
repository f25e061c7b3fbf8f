/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VALUE_H
#define VALUE_H
/*
 * value - JSON-shaped trees in an arena, and their binary encoding.
 *
 * Used between the roles, in sealed rows, in audit records and in what is sealed to a
 * host.  A number keeps its literal text (at most LIMIT_NUMBER_TEXT bytes), so nothing is
 * lost.  Encoding, all lengths big-endian; a body length counts all bytes after it:
 *
 *   00 null | 01 false | 02 true
 *   03 number  u32 length, text        04 string  u32 length, UTF-8 without NUL rules
 *   05 bytes   u32 length, bytes
 *   06 array   u32 body length, u32 count, items
 *   07 object  u32 body length, u32 count, { u32 key length, key, item }
 *
 * The decoder is total: it refuses trailing bytes, lengths that do not add up, depth over
 * LIMIT_JSON_DEPTH (+8 for wrapping layers), numbers that are not JSON numbers, and
 * duplicate keys.  It does not judge UTF-8, and it does not copy: strings point into the
 * input, which must outlive the tree.
 *
 * Constructors return NULL when the arena refuses; value_add() and value_set() accept
 * NULL operands and mark nothing: ask arena_failed() once at the end.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"

enum value_type {
	V_NULL,
	V_FALSE,
	V_TRUE,
	V_NUMBER,
	V_STRING,
	V_BYTES,
	V_ARRAY,
	V_OBJECT,
	V_ENCODED, /* bytes that already are an encoding: copied by value_encode() */
};

struct value {
	enum value_type type;
	uint32_t len;        /* bytes of text, or number of children */
	const char *text;    /* number, string, bytes, encoded; often without a NUL */
	struct value *first; /* array, object */
	struct value *last;
	struct value *next; /* sibling */
	const char *key;    /* set in members of an object */
	uint32_t key_len;
};

/** Constructors; text is borrowed unless the name says dup. */
struct value *value_null(struct arena *a);
struct value *value_bool(struct arena *a, bool b);
struct value *value_int(struct arena *a, int64_t n);
/** value_number(a, text, n): NULL unless ${text} is a JSON number of at most
 * LIMIT_NUMBER_TEXT bytes; the arena's failure mark is not set then. */
struct value *value_number(struct arena *a, const char *text, size_t n);
struct value *value_str(struct arena *a, const char *s); /* NULL gives V_NULL */
struct value *value_strn(struct arena *a, const char *s, size_t n);
struct value *value_strdup(struct arena *a, const char *s, size_t n);
struct value *value_bytes(struct arena *a, const void *p, size_t n);
struct value *value_encoded(struct arena *a, const void *p, size_t n);
struct value *value_array(struct arena *a);
struct value *value_object(struct arena *a);

/** value_add(array, v): append; ${v} must not be in a tree already. */
void value_add(struct value *array, struct value *v);
/** value_set(object, key, v): append a member; ${key} is borrowed (usually a literal);
 * does not look for an existing one. */
void value_set(struct value *object, const char *key, struct value *v);
/** value_setn(object, key, key_len, v): the same for a key that is not NUL-terminated. */
void value_setn(struct value *object, const char *key, size_t key_len, struct value *v);

/** Shorthands for the commonest members; the string is borrowed. */
void value_set_str(struct arena *a, struct value *object, const char *key, const char *s);
void value_set_int(struct arena *a, struct value *object, const char *key, int64_t n);
void value_set_bool(struct arena *a, struct value *object, const char *key, bool b);
void value_set_bytes(struct arena *a, struct value *object, const char *key,
                     const void *p, size_t n);

/** value_get(object, key): the member, or NULL (also when ${object} is NULL or no
 * object). */
struct value *value_get(const struct value *object, const char *key);
struct value *value_getn(const struct value *object, const char *key, size_t key_len);
/** value_at(array, i): the i-th child, or NULL. */
struct value *value_at(const struct value *array, size_t i);

/** value_is_str(v, s): is ${v} the string ${s}? */
bool value_is_str(const struct value *v, const char *s);
/** value_has_str(array, s): is that text one of its items?  NULL has none. */
bool value_has_str(const struct value *array, const char *s);
/** value_to_int(v, out): an integral number (or string of digits) that fits int64; 0 or
 * -1. */
int value_to_int(const struct value *v, int64_t *out);
/** value_to_bool(v, out): true/false, also "true"/"false"/1/0 as strings or numbers; 0 or
 * -1. */
int value_to_bool(const struct value *v, bool *out);
/** value_to_cstr(v, a): the string with a NUL, in the arena; NULL if it is none or holds
 * a NUL. */
char *value_to_cstr(const struct value *v, struct arena *a);
/** value_int_or(object, key, dflt), value_bool_or(), value_cstr_or(): members of trees
 * that we wrote ourselves. */
int64_t value_int_or(const struct value *object, const char *key, int64_t dflt);
bool value_bool_or(const struct value *object, const char *key, bool dflt);
const char *value_cstr_or(struct arena *a, const struct value *object, const char *key,
                          const char *dflt);

/** value_copy(a, v): a deep copy, text included. */
struct value *value_copy(struct arena *a, const struct value *v);
/** value_equal(x, y): same shape and text (members in any order). Not constant-time. */
bool value_equal(const struct value *x, const struct value *y);

/** value_size(v): bytes of its encoding. */
size_t value_size(const struct value *v);
/** value_encode(v, out): write the encoding to ${out} of value_size(v) bytes; returns
 * that size. */
size_t value_encode(const struct value *v, unsigned char *out);
/** value_pack(a, v, len): the encoding in the arena; NULL if the arena refuses. */
unsigned char *value_pack(struct arena *a, const struct value *v, size_t *len);
/** value_decode(a, p, n, out, e): the tree of exactly ${n} bytes; ERR_INVALID or
 * ERR_NOMEM. */
int value_decode(struct arena *a, const void *p, size_t n, struct value **out,
                 struct err *e) MUST_CHECK;

#endif
