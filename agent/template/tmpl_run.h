/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_RUN_H
#define AGENT_TEMPLATE_TMPL_RUN_H
/*
 * tmpl_run - values, and the state of one run.
 *
 * A value is what Go has in an interface, so that what the original prints, compares and
 * refuses is printed, compared and refused.  It knows two kinds of nothing: TV_NIL is an
 * empty interface (a member that a map does not have), TV_NONE is no value at all; the
 * first becomes the second behind a pipe, parentheses or an assignment.
 *
 * Maps are sorted by key and shared, as lists are: what a scratch pad changes, all see.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tmpl_tree.h"

enum tv_kind {
	TV_NONE,
	TV_NIL,
	TV_NIL_POINTER, /* what a secret has instead of auth and wrap_info */
	TV_BOOL,
	TV_INT,
	TV_INT64,
	TV_UINT64,
	TV_BYTE,
	TV_FLOAT,
	TV_STRING,
	TV_NUMBER, /* of a secret: its text, which is a string to most functions */
	TV_LIST,
	TV_STRINGS,  /* a list of strings alone */
	TV_MAP,      /* of strings to anything */
	TV_TEXT_MAP, /* of strings to strings */
	TV_ANY_MAP,  /* of anything to anything */
	TV_SECRET,
	TV_SCRATCH,
	TV_LOOP,
};

struct tv;

struct tv_list {
	struct tv *items;
	size_t n;
	size_t cap; /* what slice may uncover */
	bool nil;
};

struct tv_map {
	struct tv_pair *pairs;
	size_t n;
	size_t cap;
	bool nil;
};

struct tv_loop {
	int64_t next;
	int64_t stop;
};

struct tv {
	enum tv_kind kind;
	union {
		bool b;
		int64_t i;  /* int, int64 */
		uint64_t u; /* uint64, byte */
		double f;
		struct tmpl_str s; /* string, number */
		struct tv_list *list;
		struct tv_map *map;
		struct tv_loop *loop;
		const struct tv_secret *secret;
	};
};

struct tv_pair {
	struct tv key;
	struct tv val;
};

/* The members of a reply, by their names in Go. */
struct tv_secret {
	const char *path;
	struct tv_secret *next;
	struct tv request_id, lease_id, lease_duration, renewable, data, warnings;
};

/* Text that grows in the arena; a failure stays with the run. */
struct tmpl_buf {
	struct tmpl_run *r;
	char *p;
	size_t n;
	size_t cap;
	size_t max;
};

struct tmpl_var {
	struct tmpl_str name;
	struct tv value;
};

enum tmpl_flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct tmpl_run {
	const struct template *t;
	const struct template_ops *ops;
	struct arena *a;
	struct err *e;
	int rc;            /* the first failure */
	struct tmpl_at at; /* what is being done, for messages */
	size_t budget;     /* what is left */
	unsigned depth;
	bool pending; /* something was not there yet */
	enum tmpl_flow flow;
	struct tmpl_var *vars; /* innermost last */
	size_t n_vars, cap_vars;
	size_t frame; /* the first variable of the template that runs */
	struct tmpl_buf out;
	struct tv_secret *secrets; /* read so far */
	struct tv_map *scratch;
};

/** tmpl_fail(r, code, fmt, ...): record the first failure, where the run is; the code of
 * that. */
int tmpl_fail(struct tmpl_run *r, int code, const char *fmt, ...) PRINTF(3, 4);
/** tmpl_nomem(r): out of memory. */
int tmpl_nomem(struct tmpl_run *r);

/** tmpl_spend(r, bytes): one step, and one more for each 64 bytes that it touches. */
int tmpl_spend(struct tmpl_run *r, size_t bytes) MUST_CHECK;
/** tmpl_alloc(r, n): zeroed memory that is spent as well; NULL with a failure. */
void *tmpl_alloc(struct tmpl_run *r, size_t n) MUST_CHECK;

/** tmpl_enter(r), tmpl_leave(r): one deeper; fails beyond the bound. */
int tmpl_enter(struct tmpl_run *r) MUST_CHECK;
void tmpl_leave(struct tmpl_run *r);

/** tmpl_buf(r): an empty one.  tmpl_put(): append; nothing once the run has failed.
 * tmpl_buf_str(b, out): what is in it as a string. */
struct tmpl_buf tmpl_buf(struct tmpl_run *r);
void tmpl_put(struct tmpl_buf *b, const char *p, size_t n);
void tmpl_puts(struct tmpl_buf *b, const char *s);
void tmpl_putc(struct tmpl_buf *b, char c);
void tmpl_pad(struct tmpl_buf *b, size_t n, char c);
int tmpl_buf_str(struct tmpl_buf *b, struct tv *out);

/* Makers of values. */
static inline struct tv tv_bool(bool b)
{
	return (struct tv){ .kind = TV_BOOL, .b = b };
}
static inline struct tv tv_int(int64_t i)
{
	return (struct tv){ .kind = TV_INT, .i = i };
}
static inline struct tv tv_int64(int64_t i)
{
	return (struct tv){ .kind = TV_INT64, .i = i };
}
static inline struct tv tv_uint64(uint64_t u)
{
	return (struct tv){ .kind = TV_UINT64, .u = u };
}
static inline struct tv tv_float(double f)
{
	return (struct tv){ .kind = TV_FLOAT, .f = f };
}
static inline struct tv tv_str(const char *p, size_t n)
{
	return (struct tv){
		.kind = TV_STRING, .s = {p, n}
	};
}
static inline struct tv tv_nil(void)
{
	return (struct tv){ .kind = TV_NIL };
}

/** tv_cstr(s): a string that outlives the run or is in its arena. */
struct tv tv_cstr(const char *s);

/** tv_strip(v): TV_NIL as TV_NONE. */
static inline struct tv tv_strip(struct tv v)
{
	return v.kind == TV_NIL ? (struct tv){ .kind = TV_NONE } : v;
}

static inline bool tv_is_int(const struct tv *v)
{
	return v->kind == TV_INT || v->kind == TV_INT64;
}
static inline bool tv_is_uint(const struct tv *v)
{
	return v->kind == TV_UINT64 || v->kind == TV_BYTE;
}
static inline bool tv_is_text(const struct tv *v)
{
	return v->kind == TV_STRING || v->kind == TV_NUMBER;
}
static inline bool tv_is_list(const struct tv *v)
{
	return v->kind == TV_LIST || v->kind == TV_STRINGS;
}
static inline bool tv_is_map(const struct tv *v)
{
	return v->kind == TV_MAP || v->kind == TV_TEXT_MAP || v->kind == TV_ANY_MAP;
}

/** tv_true(v): what if makes of it. */
bool tv_true(const struct tv *v);
/** tv_type(v): the name of its type in Go. */
const char *tv_type(const struct tv *v);

/** tv_new_list(r, kind, n, out): ${n} items, none set. */
int tv_new_list(struct tmpl_run *r, enum tv_kind kind, size_t n, struct tv *out)
	MUST_CHECK;
/** tv_append(r, list, item) */
int tv_append(struct tmpl_run *r, struct tv_list *list, struct tv item) MUST_CHECK;
/** tv_new_map(r, kind, n, out): empty, with room for ${n}. */
int tv_new_map(struct tmpl_run *r, enum tv_kind kind, size_t n, struct tv *out)
	MUST_CHECK;

/** tv_compare(x, y): the order of keys. */
int tv_compare(const struct tv *x, const struct tv *y);
/** tv_map_find(map, key): the place of its value, or NULL. */
struct tv *tv_map_find(const struct tv_map *map, const struct tv *key);
/** tv_map_get(map, name): the same with a string. */
struct tv *tv_map_get(const struct tv_map *map, struct tmpl_str name);
/** tv_map_set(r, map, key, val): add or replace. */
int tv_map_set(struct tmpl_run *r, struct tv_map *map, struct tv key, struct tv val)
	MUST_CHECK;
/** tv_map_push(r, map, key, val): append without order; tv_map_sort() afterwards puts
 * all in order, of equal keys the last stays. */
int tv_map_push(struct tmpl_run *r, struct tv_map *map, struct tv key, struct tv val)
	MUST_CHECK;
int tv_map_sort(struct tmpl_run *r, struct tv_map *map) MUST_CHECK;

/** tv_import(r, v, out): a value of the world, copied; numbers stay text. */
int tv_import(struct tmpl_run *r, const struct value *v, struct tv *out) MUST_CHECK;

/** tmpl_eval_pipe(r, dot, pipe, out): its value; what it declares stays in scope. */
int tmpl_eval_pipe(struct tmpl_run *r, const struct tv *dot, const struct tmpl_pipe *pipe,
                   struct tv *out) MUST_CHECK;

/** tmpl_var_push(r, name, v), tmpl_var_set(r, name, v): declare; assign to the innermost
 * of that name. */
int tmpl_var_push(struct tmpl_run *r, struct tmpl_str name, struct tv v) MUST_CHECK;
int tmpl_var_set(struct tmpl_run *r, struct tmpl_str name, struct tv v) MUST_CHECK;

/** tmpl_field(r, recv, name, args, n, out): a member, or a method called with arguments.
 */
int tmpl_field(struct tmpl_run *r, const struct tv *recv, struct tmpl_str name,
               const struct tv *args, size_t n, struct tv *out) MUST_CHECK;

typedef int tmpl_call(struct tmpl_run *r, const struct tv *args, size_t n,
                      struct tv *out);

/* tmpl_builtin.c, tmpl_compare.c */
tmpl_call tmpl_fn_not, tmpl_fn_index, tmpl_fn_slice, tmpl_fn_len, tmpl_fn_print,
	tmpl_fn_println, tmpl_fn_printf, tmpl_fn_html, tmpl_fn_js, tmpl_fn_urlquery;
tmpl_call tmpl_fn_eq, tmpl_fn_ne, tmpl_fn_lt, tmpl_fn_le, tmpl_fn_gt, tmpl_fn_ge;
/* tmpl_world.c */
tmpl_call tmpl_fn_secret, tmpl_fn_secrets, tmpl_fn_file, tmpl_fn_env, tmpl_fn_must_env,
	tmpl_fn_env_or_default, tmpl_fn_timestamp;
/* tmpl_text.c */
tmpl_call tmpl_fn_trim, tmpl_fn_trim_prefix, tmpl_fn_trim_suffix, tmpl_fn_trim_space,
	tmpl_fn_to_lower, tmpl_fn_to_upper, tmpl_fn_to_title, tmpl_fn_indent,
	tmpl_fn_split, tmpl_fn_join, tmpl_fn_replace_all;
/* tmpl_encode.c */
tmpl_call tmpl_fn_base64_encode, tmpl_fn_base64_decode, tmpl_fn_base64url_encode,
	tmpl_fn_base64url_decode, tmpl_fn_sha256_hex, tmpl_fn_hmac_sha256_hex,
	tmpl_fn_md5sum;
/* tmpl_math.c */
tmpl_call tmpl_fn_add, tmpl_fn_subtract, tmpl_fn_multiply, tmpl_fn_divide, tmpl_fn_modulo,
	tmpl_fn_minimum, tmpl_fn_maximum, tmpl_fn_loop, tmpl_fn_parse_bool,
	tmpl_fn_parse_float, tmpl_fn_parse_int, tmpl_fn_parse_uint;
/* tmpl_lists.c */
tmpl_call tmpl_fn_in, tmpl_fn_contains, tmpl_fn_contains_all, tmpl_fn_contains_any,
	tmpl_fn_contains_none, tmpl_fn_contains_not_all, tmpl_fn_split_to_map,
	tmpl_fn_explode_map, tmpl_fn_merge_map, tmpl_fn_merge_map_with_override,
	tmpl_fn_scratch;
/* tmpl_json.c, tmpl_json_read.c, tmpl_yaml.c, tmpl_yaml_read.c */
tmpl_call tmpl_fn_to_json, tmpl_fn_to_json_pretty, tmpl_fn_to_unescaped_json,
	tmpl_fn_to_unescaped_json_pretty, tmpl_fn_parse_json, tmpl_fn_to_yaml,
	tmpl_fn_parse_yaml;

#endif
